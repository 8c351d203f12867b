// A reader of JSON text that keeps nothing: the caller takes what it wants, in order.
//
// Every function returns false for text of another form, and never reads past the end.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>

namespace ticket::runtime {

struct Text {
  const char* at;
  const char* end;

  void skip_space() {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) ++at;
  }

  // Takes this character, after space, if it is the next.
  bool take(char wanted) {
    skip_space();
    if (at == end || *at != wanted) return false;
    ++at;
    return true;
  }

  bool take_word(const char* word) {
    skip_space();
    const std::size_t size = std::strlen(word);
    if (static_cast<std::size_t>(end - at) < size || std::memcmp(at, word, size) != 0) {
      return false;
    }
    at += size;
    return true;
  }
};

// Appends the string's characters to *out, as UTF-8 and without a zero byte.
bool read_string(Text& text, std::string* out);

// Any value; `depth` is how many arrays and objects it lies in, of which 32 are too many: each is
// a call, and a file must not exhaust the stack.
bool skip_value(Text& text, int depth);

// Calls member(name) at each value of an object; it must take the value.
template <typename Member>
bool read_object(Text& text, const Member& member) {
  if (!text.take('{')) return false;
  if (text.take('}')) return true;
  do {
    std::string name;
    if (!read_string(text, &name) || !text.take(':') || !member(name)) return false;
  } while (text.take(','));
  return text.take('}');
}

template <typename Element>
bool read_array(Text& text, const Element& element) {
  if (!text.take('[')) return false;
  if (text.take(']')) return true;
  do {
    if (!element()) return false;
  } while (text.take(','));
  return text.take(']');
}

}  // namespace ticket::runtime
