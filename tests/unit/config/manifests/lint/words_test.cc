// Words as people misspell them.
#include "config/manifests/lint/words.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace aquifer::manifests {
namespace {

TEST_CASE("the distance of two words counts slips of the finger") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("ambient", "ambeint") == 2);
  CHECK(edit_distance("waypoint", "way-point") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  // A long word costs no more than 64 bytes of it.
  CHECK(edit_distance(std::string(100'000, 'a'), std::string(100'000, 'b')) == 64);
}

TEST_CASE("the nearest word is the closest that is close enough") {
  constexpr std::array<std::string_view, 3> known{"ambient", "none", "sidecar"};
  CHECK(nearest_word("ambeint", known, 2) == "ambient");
  CHECK(nearest_word("none", known, 2) == "none");
  CHECK_FALSE(nearest_word("waypoint", known, 2).has_value());
}

TEST_CASE("a long list is cut, and counts what it leaves out") {
  CHECK(some_of({}) == "");
  CHECK(some_of({"b", "a", "b"}) == "a, b");
  CHECK(some_of({"d", "c", "b", "a"}) == "a, b, c and 1 more");
}

}  // namespace
}  // namespace aquifer::manifests
