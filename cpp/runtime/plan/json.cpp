#include "runtime/plan/json.h"

#include <cstdint>

namespace ticket::runtime {
namespace {

constexpr int kDeepest = 32;

void put_utf8(std::uint32_t code, std::string* out) {
  const auto put = [out](std::uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

bool read_hex(Text& text, std::uint32_t* code) {
  *code = 0;
  if (text.end - text.at < 4) return false;
  for (int i = 0; i < 4; ++i) {
    const char* const digits = "0123456789abcdef0123456789ABCDEF";
    const char* const digit = *text.at == '\0' ? nullptr : std::strchr(digits, *text.at);
    if (digit == nullptr) return false;
    *code = *code << 4 | static_cast<std::uint32_t>((digit - digits) % 16);
    ++text.at;
  }
  return true;
}

// After "\u": a code unit of UTF-16, or a pair of them.  Zero and half a pair are refused: the
// text must be a C string, and UTF-8.
bool read_unicode(Text& text, std::string* out) {
  std::uint32_t code = 0;
  if (!read_hex(text, &code) || code == 0 || (code >= 0xdc00 && code < 0xe000)) return false;
  if (code >= 0xd800 && code < 0xdc00) {
    std::uint32_t low = 0;
    if (text.end - text.at < 2 || text.at[0] != '\\' || text.at[1] != 'u') return false;
    text.at += 2;
    if (!read_hex(text, &low) || low < 0xdc00 || low >= 0xe000) return false;
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  put_utf8(code, out);
  return true;
}

bool skip_digits(Text& text) {
  const char* const start = text.at;
  while (text.at < text.end && *text.at >= '0' && *text.at <= '9') ++text.at;
  return text.at > start;
}

bool skip_number(Text& text) {
  text.take('-');
  if (!skip_digits(text)) return false;
  if (text.at < text.end && *text.at == '.') {
    ++text.at;
    if (!skip_digits(text)) return false;
  }
  if (text.at < text.end && (*text.at == 'e' || *text.at == 'E')) {
    ++text.at;
    if (text.at < text.end && (*text.at == '+' || *text.at == '-')) ++text.at;
    return skip_digits(text);
  }
  return true;
}

}  // namespace

bool read_string(Text& text, std::string* out) {
  if (!text.take('"')) return false;
  while (text.at < text.end) {
    const char next = *text.at++;
    if (next == '"') return true;
    if (static_cast<unsigned char>(next) < 0x20) return false;
    if (next != '\\') {
      out->push_back(next);
      continue;
    }
    if (text.at == text.end) return false;
    const char escape = *text.at++;
    if (escape == 'u') {
      if (!read_unicode(text, out)) return false;
      continue;
    }
    const char* const codes = "\"\\/bfnrt";
    const char* const code = escape == '\0' ? nullptr : std::strchr(codes, escape);
    if (code == nullptr) return false;
    out->push_back("\"\\/\b\f\n\r\t"[code - codes]);
  }
  return false;
}

bool skip_value(Text& text, int depth) {
  if (depth > kDeepest) return false;
  text.skip_space();
  if (text.at == text.end) return false;
  const auto skip = [&text, depth] { return skip_value(text, depth + 1); };
  switch (*text.at) {
    case '{': return read_object(text, [&skip](const std::string&) { return skip(); });
    case '[': return read_array(text, skip);
    case '"': {
      std::string ignored;
      return read_string(text, &ignored);
    }
    case 't': return text.take_word("true");
    case 'f': return text.take_word("false");
    case 'n': return text.take_word("null");
    default: return skip_number(text);
  }
}

}  // namespace ticket::runtime
