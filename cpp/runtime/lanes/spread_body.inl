// to[i] = sources[i] < 0 ? 0 : plane[sources[i]] for i < count, one by one: included where a set's
// spread_plane needs it.

inline void spread_each(const float* plane, const std::int32_t* sources, std::int32_t count,
                        float* to) {
  for (std::int32_t i = 0; i < count; ++i) {
    const float value = plane[sources[i] < 0 ? 0 : sources[i]];
    to[i] = sources[i] < 0 ? 0.0f : value;
  }
}
