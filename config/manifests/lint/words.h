// Words for people: the nearest known word to a misspelt one, and short lists. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// Insertions, deletions and replacements that turn one word into the other; both are cut at 64
/// bytes, so that hostile input costs no more than a long word.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The closest of `known` within `distance_max` edits of `word`; none when nothing is so close. A
/// word that is known is its own nearest.
[[nodiscard]] std::optional<std::string_view> nearest_word(std::string_view word,
                                                           std::span<const std::string_view> known,
                                                           std::size_t distance_max);

/// "a, b, c and 4 more"; each name once, in the order of the alphabet. Empty for no names.
[[nodiscard]] std::string some_of(std::vector<std::string> names, std::size_t shown_max = 3);

/// A value of the input as a line shows it: quoted, and cut when it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace aquifer::manifests
