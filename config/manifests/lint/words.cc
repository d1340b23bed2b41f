#include "config/manifests/lint/words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace aquifer::manifests {
namespace {

constexpr std::size_t kWordBytesMax = 64;
constexpr std::size_t kShownBytesMax = 60;

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, kWordBytesMax);
  b = b.substr(0, kWordBytesMax);
  // One row of the usual table: row[j] is the distance of what was seen of `a` to b's first j.
  std::array<std::size_t, kWordBytesMax + 1> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::optional<std::string_view> nearest_word(std::string_view word,
                                             std::span<const std::string_view> known,
                                             std::size_t distance_max) {
  std::optional<std::string_view> best;
  std::size_t best_distance = distance_max + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string some_of(std::vector<std::string> names, std::size_t shown_max) {
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  const std::size_t shown = std::min(shown_max, names.size());
  std::string text = fmt::format(
      "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::string in_quotes(std::string_view text) {
  if (text.size() <= kShownBytesMax) return fmt::format("\"{}\"", text);
  return fmt::format("\"{}...\"", text.substr(0, kShownBytesMax));
}

}  // namespace aquifer::manifests
