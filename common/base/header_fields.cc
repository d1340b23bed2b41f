#include "common/base/header_fields.h"

#include <algorithm>
#include <functional>

namespace aquifer {
namespace {

// A usual request has about ten fields and half a KiB.
constexpr std::size_t kUsualFields = 16;
constexpr std::size_t kUsualBytes = 512;

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_token_char(char c) noexcept {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kOthers.find(c) != std::string_view::npos;
}

bool is_within(std::string_view part, const std::string& whole) noexcept {
  const std::less<> before;
  return !part.empty() && !before(part.data(), whole.data()) &&
         before(part.data(), whole.data() + whole.size());
}

}  // namespace

bool equal_without_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool is_field_value(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

HeaderFields::Entry HeaderFields::append(std::string_view name, std::string_view value) {
  if (text_.capacity() < kUsualBytes) text_.reserve(kUsualBytes);
  const Entry entry{static_cast<std::uint32_t>(text_.size()),
                    static_cast<std::uint32_t>(name.size()),
                    static_cast<std::uint32_t>(value.size())};
  // std::string takes care of a view into itself; the second must not follow a move of the first.
  if (is_within(value, text_) && text_.capacity() - text_.size() < name.size()) {
    const std::string copy(value);
    text_.append(name).append(copy);
    return entry;
  }
  text_.append(name).append(value);
  return entry;
}

void HeaderFields::add(std::string_view name, std::string_view value) {
  if (entries_.capacity() == 0) entries_.reserve(kUsualFields);
  entries_.push_back(append(name, value));
}

void HeaderFields::set(std::string_view name, std::string_view value) {
  const auto is_it = [&](const Entry& entry) { return equal_without_case(view(entry).name, name); };
  const auto first = std::ranges::find_if(entries_, is_it);
  if (first == entries_.end()) return add(name, value);
  entries_.erase(std::remove_if(first + 1, entries_.end(), is_it), entries_.end());
  *first = append(name, value);
}

std::size_t HeaderFields::remove(std::string_view name) noexcept {
  return std::erase_if(
      entries_, [&](const Entry& entry) { return equal_without_case(view(entry).name, name); });
}

std::optional<std::string_view> HeaderFields::find(std::string_view name) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.name_bytes != name.size()) continue;
    const HeaderField field = view(entry);
    if (equal_without_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t HeaderFields::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      entries_, [&](const Entry& entry) { return equal_without_case(view(entry).name, name); }));
}

std::optional<std::string> HeaderFields::joined(std::string_view name) const {
  std::optional<std::string> all;
  for (const HeaderField field : *this) {
    if (!equal_without_case(field.name, name)) continue;
    if (all) {
      all->append(", ").append(field.value);
    } else {
      all.emplace(field.value);
    }
  }
  return all;
}

std::size_t HeaderFields::bytes() const noexcept {
  std::size_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.name_bytes + entry.value_bytes;
  return sum;
}

bool operator==(const HeaderFields& a, const HeaderFields& b) noexcept {
  return std::ranges::equal(a, b);
}

bool lists_token(const HeaderFields& fields, std::string_view name,
                 std::string_view token) noexcept {
  for (const HeaderField field : fields) {
    if (!equal_without_case(field.name, name)) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t comma = rest.find(',');
      if (equal_without_case(trim_blanks(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return false;
}

}  // namespace aquifer
