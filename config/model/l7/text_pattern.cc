#include "config/model/l7/text_pattern.h"

#include "common/base/header_fields.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

namespace aquifer::l7 {
namespace {

// What one expression's programs and caches may take. Routes of real meshes need a few KiB; RE2's
// own default of 8 MiB, a thousand times, would not fit.
constexpr std::int64_t kRegexMemory = std::int64_t{1} << 20;
// Longer ones are nobody's handwriting.
constexpr std::size_t kExpressionBytesMax = 4096;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

bool has_prefix(std::string_view text, std::string_view prefix, bool ignore_case) {
  if (text.size() < prefix.size()) return false;
  const std::string_view head = text.substr(0, prefix.size());
  return ignore_case ? equal_without_case(head, prefix) : head == prefix;
}

bool has_suffix(std::string_view text, std::string_view suffix, bool ignore_case) {
  if (text.size() < suffix.size()) return false;
  const std::string_view tail = text.substr(text.size() - suffix.size());
  return ignore_case ? equal_without_case(tail, suffix) : tail == suffix;
}

bool has_inside(std::string_view text, std::string_view part, bool ignore_case) {
  if (!ignore_case) return text.find(part) != std::string_view::npos;
  for (std::size_t at = 0; at + part.size() <= text.size(); ++at) {
    if (equal_without_case(text.substr(at, part.size()), part)) return true;
  }
  return false;
}

}  // namespace

Result<Regex> Regex::compile(std::string_view expression, std::string* why) {
  if (expression.size() > kExpressionBytesMax) {
    if (why != nullptr) *why = "longer than 4096 bytes";
    return fail(Errc::invalid, "compiling an expression");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexMemory);
  auto compiled = std::make_shared<const re2::RE2>(piece(expression), options);
  if (!compiled->ok()) {
    if (why != nullptr) *why = compiled->error();
    return fail(Errc::invalid, "compiling an expression");
  }
  Regex regex;
  regex.text_ = expression;
  regex.compiled_ = std::move(compiled);
  return regex;
}

bool Regex::matches(std::string_view text) const {
  return compiled_ != nullptr && re2::RE2::FullMatch(piece(text), *compiled_);
}

std::string Regex::replace_all(std::string_view text, std::string_view substitution) const {
  std::string result(text);
  if (compiled_ != nullptr) re2::RE2::GlobalReplace(&result, *compiled_, piece(substitution));
  return result;
}

TextPattern TextPattern::exact(std::string text) {
  TextPattern pattern;
  pattern.kind = Kind::exact;
  pattern.text = std::move(text);
  return pattern;
}

TextPattern TextPattern::prefix(std::string text) {
  TextPattern pattern;
  pattern.kind = Kind::prefix;
  pattern.text = std::move(text);
  return pattern;
}

bool TextPattern::matches(std::string_view value) const {
  switch (kind) {
    case Kind::any: return true;
    case Kind::exact: return ignore_case ? equal_without_case(value, text) : value == text;
    case Kind::prefix: return has_prefix(value, text, ignore_case);
    case Kind::suffix: return has_suffix(value, text, ignore_case);
    case Kind::contains: return has_inside(value, text, ignore_case);
    case Kind::regex: return regex.matches(value);
  }
  return false;
}

std::string TextPattern::to_string() const {
  const auto quoted = [&](std::string_view word, const std::string& what) {
    std::string out(word);
    out.append(" \"").append(what).append("\"");
    if (ignore_case) out.append(" without case");
    return out;
  };
  switch (kind) {
    case Kind::any: return "anything";
    case Kind::exact: return quoted("exact", text);
    case Kind::prefix: return quoted("prefix", text);
    case Kind::suffix: return quoted("suffix", text);
    case Kind::contains: return quoted("containing", text);
    case Kind::regex: return quoted("matching", regex.text());
  }
  return {};
}

}  // namespace aquifer::l7
