// The runtime takes three members out of a plan's metadata and refuses what is no JSON object.
#include "check.h"
#include "runtime/plan/metadata.h"

namespace ticket::runtime {
namespace {

Metadata read(const std::string& json) {
  Metadata metadata;
  std::string why;
  if (!read_metadata(json, &metadata, &why)) {
    std::fprintf(stderr, "%s: %s\n", json.c_str(), why.c_str());
    std::exit(1);
  }
  return metadata;
}

std::string error_of(const std::string& json) {
  Metadata metadata;
  std::string why;
  CHECK(!read_metadata(json, &metadata, &why));
  return why;
}

std::string nested(int depth) {
  return R"({"a":)" + std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']') + "}";
}

void check_members() {
  const Metadata none = read(" { } ");
  CHECK(none.starts.empty() && none.batch == 0 && !none.takes_pixels);

  const Metadata all = read(R"({"model": "x", "batch": 64,
                               "classes" : ["a", "", "\u00e9\ud83c\udfab\n"],
                               "other": [1, -2.5e+3, {"classes": [3]}, true, false, null, []],
                               "normalisation": {"mean": [0.5], "scale": 255}})");
  CHECK(all.batch == 64 && all.takes_pixels && all.starts.size() == 3);
  CHECK(std::string(&all.names[all.starts[0]]) == "a");
  CHECK(std::string(&all.names[all.starts[1]]).empty());
  CHECK(std::string(&all.names[all.starts[2]]) == "\xc3\xa9\xf0\x9f\x8e\xab\n");

  CHECK(!read(R"({"normalisation": null})").takes_pixels);
  CHECK(!read(R"({"normalisation": {"mean": [1], "in_plan": false}})").takes_pixels);
  CHECK(read(R"({"normalisation": {"in_plan": true, "mean": [1]}})").takes_pixels);
  CHECK(read(R"({"classes": ["a"], "classes": ["b", "c"]})").names == std::string("b\0c\0", 4));
  CHECK(read(nested(32)).batch == 0);
}

void check_refusals() {
  for (const char* text :
       {"", "null", "[]", "{", "}", "{} x", R"({"a"})", R"({"a":})", R"({"a":1,})", R"({"a" 1})",
        R"({a: 1})", R"({"a": [1 2]})", R"({"a": [1,]})", R"({"a": tru})", R"({"a": -})",
        R"({"a": 1.})", R"({"a": 1e})", R"({"a": .5})", R"({"a": "x)", R"({"a": "\x"})",
        R"({"a": "\u12"})", R"({"a": "\u0000"})", R"({"a": "\udc00"})", R"({"a": "\ud83c"})",
        R"({"a": "\ud83c\u0041"})", "{\"a\": \"\n\"}", R"({"a": "\)"}) {
    CHECK(error_of(text) == "its metadata is not the JSON object it should be");
  }
  CHECK(error_of(std::string("{\"a\": \"\0\"}", 10)).find("JSON") != std::string::npos);
  CHECK(error_of(std::string("{}\0", 3)).find("JSON") != std::string::npos);
  CHECK(error_of(R"({"classes": [1]})").find("at \"classes\"") != std::string::npos);
  CHECK(error_of(R"({"classes": "a"})").find("at \"classes\"") != std::string::npos);
  CHECK(error_of(R"({"batch": -1})").find("at \"batch\"") != std::string::npos);
  CHECK(error_of(R"({"batch": 1.5})").find("at \"batch\"") != std::string::npos);
  CHECK(error_of(R"({"batch": 99999999999999999999})").find("at \"batch\"") != std::string::npos);
  CHECK(error_of(R"({"normalisation": 1})").find("at \"normalisation\"") != std::string::npos);
  CHECK(!error_of(nested(33)).empty() && !error_of(nested(1000000)).empty());
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  ticket::runtime::check_members();
  ticket::runtime::check_refusals();
}
