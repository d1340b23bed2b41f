#include "common/base/log_fields.h"

#include <fmt/format.h>

#include <ctime>
#include <iterator>

namespace aquifer::log {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;  // 0: not UTF-8 at this place
};

// RFC 3629 section 4: shortest form, no surrogates, nothing above U+10FFFF.
CodePoint decode(std::string_view text) noexcept {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
  char32_t value = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    value = value << 6U | (byte(i) & 0x3fU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {};
  return {value, length};
}

// What would move the cursor, hide, or reverse text on somebody's terminal: controls, separators,
// bidirectional marks, zero-width characters, private use.
bool is_printable(char32_t c) noexcept {
  if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0xfeff) return false;
  if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f))
    return false;
  return (c < 0xe000 || c > 0xf8ff) && c < 0xe0000;
}

void append_unprintable(std::string& out, char32_t c) {
  switch (c) {
    case '\n': out.append("\\n"); return;
    case '\r': out.append("\\r"); return;
    case '\t': out.append("\\t"); return;
    case '\0': out.append("\\0"); return;
    default:
      fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", static_cast<std::uint32_t>(c));
      return;
  }
}

// Bare text keeps quotes and backslashes; quoted text escapes them too.
enum class Quotes { keep, escape };

void append_escaped(std::string& out, std::string_view value, Quotes quotes) {
  while (!value.empty()) {
    CodePoint c = decode(value);
    if (c.bytes == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}",
                     static_cast<unsigned char>(value.front()));
      value.remove_prefix(1);
      continue;
    }
    if (!is_printable(c.value)) {
      append_unprintable(out, c.value);
    } else {
      if (quotes == Quotes::escape && (c.value == '"' || c.value == '\\')) out.push_back('\\');
      out.append(value.substr(0, c.bytes));
    }
    value.remove_prefix(c.bytes);
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view value) {
  out.push_back('"');
  append_escaped(out, value, Quotes::escape);
  out.push_back('"');
}

void append_json_string(std::string& out, std::string_view value) {
  out.push_back('"');
  while (!value.empty()) {
    CodePoint c = decode(value);
    if (c.bytes == 0) {
      out.append("\xef\xbf\xbd");
      value.remove_prefix(1);
      continue;
    }
    if (c.value == '"' || c.value == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c.value));
    } else if (c.value == '\n') {
      out.append("\\n");
    } else if (c.value < 0x20 || c.value == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(c.value));
    } else {
      out.append(value.substr(0, c.bytes));
    }
    value.remove_prefix(c.bytes);
  }
  out.push_back('"');
}

void Fields::begin(std::string_view name) {
  if (format_ == Format::json) {
    if (!out_.empty()) out_.push_back(',');
    out_.append("\"").append(name).append("\":");
  } else {
    if (!out_.empty()) out_.push_back(' ');
    out_.append(name).append("=");
  }
}

Fields& Fields::str(std::string_view name, std::string_view value) {
  begin(name);
  if (format_ == Format::json) {
    append_json_string(out_, value);
  } else {
    append_quoted(out_, value);
  }
  return *this;
}

Fields& Fields::display(std::string_view name, std::string_view value) {
  begin(name);
  if (format_ == Format::json) {
    append_json_string(out_, value);
  } else {
    append_escaped(out_, value, Quotes::keep);
  }
  return *this;
}

Fields& Fields::num(std::string_view name, std::uint64_t value) {
  begin(name);
  fmt::format_to(std::back_inserter(out_), "{}", value);
  return *this;
}

void append_time(std::string& out, WallTime time) {
  auto since_epoch = time.time_since_epoch();
  auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  auto micros = std::chrono::duration_cast<std::chrono::microseconds>(since_epoch - seconds);
  std::time_t unix_seconds = seconds.count();
  std::tm utc{};
  ::gmtime_r(&unix_seconds, &utc);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                 utc.tm_sec, micros.count());
}

void append_line(std::string& out, Format format, WallTime time, Level level,
                 std::string_view target, std::string_view message, std::string_view fields) {
  if (format == Format::json) {
    out.append(R"({"level":")").append(name_of(level)).append(R"(","time":")");
    append_time(out, time);
    out.append(R"(","scope":)");
    append_json_string(out, target);
    out.append(R"(,"message":)");
    append_json_string(out, message);
    if (!fields.empty()) out.append(",").append(fields);
    out.append("}\n");
    return;
  }
  append_time(out, time);
  out.append("\t").append(name_of(level)).append("\t").append(target).append("\t");
  append_escaped(out, message, Quotes::keep);
  if (!fields.empty()) out.append("\t").append(fields);
  out.append("\n");
}

}  // namespace aquifer::log
