#include "runtime/plan/metadata.h"

#include "runtime/plan/json.h"

namespace ticket::runtime {
namespace {

constexpr std::int64_t kMostImages = std::int64_t{1} << 31;

bool read_count(Text& text, std::int64_t* count) {
  text.skip_space();
  *count = 0;
  const char* const start = text.at;
  for (; text.at < text.end && *text.at >= '0' && *text.at <= '9'; ++text.at) {
    *count = *count * 10 + (*text.at - '0');
    if (*count > kMostImages) return false;
  }
  return text.at > start;
}

bool read_classes(Text& text, Metadata* metadata) {
  metadata->names.clear();  // of two members of a name, the last counts
  metadata->starts.clear();
  return read_array(text, [&text, metadata] {
    metadata->starts.push_back(static_cast<std::uint32_t>(metadata->names.size()));
    if (!read_string(text, &metadata->names)) return false;
    metadata->names.push_back('\0');
    return true;
  });
}

bool read_normalisation(Text& text, bool* in_plan) {
  *in_plan = false;
  if (text.take_word("null")) return true;
  *in_plan = true;
  return read_object(text, [&text, in_plan](const std::string& name) {
    if (name != "in_plan") return skip_value(text, 2);
    *in_plan = text.take_word("true");
    return *in_plan || text.take_word("false");
  });
}

}  // namespace

bool read_metadata(const std::string& json, Metadata* metadata, std::string* why) {
  *metadata = Metadata{};
  Text text{json.data(), json.data() + json.size()};
  std::string reading;
  const bool good = read_object(text, [&](const std::string& name) {
    reading = name;
    if (name == "classes") return read_classes(text, metadata);
    if (name == "batch") return read_count(text, &metadata->batch);
    if (name == "normalisation") return read_normalisation(text, &metadata->takes_pixels);
    return skip_value(text, 1);
  });
  text.skip_space();
  if (good && text.at == text.end) return true;
  *why = "its metadata is not the JSON object it should be";
  if (reading == "classes" || reading == "batch" || reading == "normalisation") {
    *why += ", at \"" + reading + "\"";
  }
  return false;
}

}  // namespace ticket::runtime
