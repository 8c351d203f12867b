// The way into lanes and back in plain loops: included where there is no better one.

void interleave(const float* const* rows, const std::int32_t* lengths, std::int32_t count,
                float* vectors) {
  for (std::int32_t x = 0; x < count; ++x) {
    for (int lane = 0; lane < kLanes; ++lane) {
      vectors[std::int64_t{x} * kLanes + lane] = x < lengths[lane] ? rows[lane][x] : 0.0f;
    }
  }
}

void separate(const float* vectors, const std::int32_t* lengths, std::int32_t count,
              float* const* rows) {
  for (int lane = 0; lane < kLanes; ++lane) {
    for (std::int32_t x = 0; x < count && x < lengths[lane]; ++x) {
      rows[lane][x] = vectors[std::int64_t{x} * kLanes + lane];
    }
  }
}
