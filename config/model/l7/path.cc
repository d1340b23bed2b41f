#include "config/model/l7/path.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace aquifer::l7 {
namespace {

std::optional<unsigned> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// The byte that `%XY` at `at` stands for.
std::optional<unsigned char> escaped_byte(std::string_view text, std::size_t at) noexcept {
  if (at + 2 >= text.size()) return std::nullopt;
  const auto high = hex_digit(text[at + 1]);
  const auto low = hex_digit(text[at + 2]);
  if (!high || !low) return std::nullopt;
  return static_cast<unsigned char>(*high * 16 + *low);
}

bool is_unreserved(unsigned char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool is_control(unsigned char c) noexcept {
  return c < 0x20 || c == 0x7f;
}

constexpr Error bad(const char* what) noexcept {
  return Error(Errc::invalid, ErrorSource::downstream, what).with_detail(400);
}

// Escapes decoded or in one spelling, backslashes turned; segments are not looked at.
Result<std::string> one_spelling(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '\\') {
      out.push_back('/');
      continue;
    }
    if (c != '%') {
      out.push_back(c);
      continue;
    }
    const auto byte = escaped_byte(path, i);
    if (!byte) return std::unexpected(bad("reading a path: a percent sign that escapes nothing"));
    if (is_control(*byte))
      return std::unexpected(bad("reading a path: an escaped control character"));
    if (is_unreserved(*byte)) {
      out.push_back(static_cast<char>(*byte));
    } else {
      out.push_back('%');
      out.push_back(kDigits[*byte >> 4]);
      out.push_back(kDigits[*byte & 15]);
    }
    i += 2;
  }
  return out;
}

// RFC 3986 section 5.2.4 for an absolute path. Empty segments (`//`) are kept: to many servers they
// mean something.
Result<std::string> resolve_dots(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  std::size_t at = 1;
  bool directory = false;
  std::vector<std::size_t> starts;  // of the segments in `out`, at their slash
  while (at <= path.size()) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, slash - at);
    directory = false;
    if (segment == ".") {
      directory = true;
    } else if (segment == "..") {
      if (starts.empty()) return std::unexpected(bad("reading a path: it leads above the root"));
      out.resize(starts.back());
      starts.pop_back();
      directory = true;
    } else {
      starts.push_back(out.size());
      out.push_back('/');
      out.append(segment);
    }
    at = slash + 1;
  }
  if (directory || out.empty()) out.push_back('/');
  return out;
}

}  // namespace

bool is_normal_path(std::string_view target) noexcept {
  if (target == "*") return true;
  if (!target.starts_with('/')) return false;
  bool in_query = false;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const auto c = static_cast<unsigned char>(target[i]);
    if (is_control(c) || c == '#') return false;
    if (in_query) continue;
    if (c == '?') in_query = true;
    if (c == '%' || c == '\\') return false;
    // "/." begins a dot segment or a hidden file: looked at more closely by the slow way.
    if (c == '.' && i > 0 && target[i - 1] == '/') return false;
  }
  return true;
}

Result<std::string> normalise_path(std::string_view target) {
  if (is_normal_path(target)) return std::string(target);
  if (!target.starts_with('/'))
    return std::unexpected(bad("reading a path: it does not begin with /"));
  for (const char c : target) {
    if (is_control(static_cast<unsigned char>(c)))
      return std::unexpected(bad("reading a path: a control character"));
    if (c == '#') return std::unexpected(bad("reading a path: a fragment"));
  }
  const std::size_t mark = std::min(target.find('?'), target.size());
  TRY(const std::string spelt, one_spelling(target.substr(0, mark)));
  TRY(std::string path, resolve_dots(spelt));
  path.append(target.substr(mark));
  return path;
}

std::string decode_query(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (const auto byte = text[i] == '%' ? escaped_byte(text, i) : std::nullopt) {
      out.push_back(static_cast<char>(*byte));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace aquifer::l7
