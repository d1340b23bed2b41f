// Lines of findings: from a field and a value to the place in the file.
#include "config/manifests/lint/locate.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace aquifer::manifests {
namespace {

std::uint32_t line_of(const std::string& text, std::uint32_t object_line,
                      std::vector<std::string> path, std::string value = "") {
  Finding finding{.diagnostic = {}, .path = std::move(path), .value = std::move(value)};
  finding.diagnostic.line = object_line;
  std::vector<Finding*> findings{&finding};
  locate(findings, text);
  return finding.diagnostic.line;
}

const std::string kText =
    "kind: A\n"                    // 1
    "spec:\n"                      // 2
    "  selector:\n"                // 3
    "    app: web\n"               // 4
    "  rules:\n"                   // 5
    "  - to: [{ports: ['80']}]\n"  // 6
    "  - to:\n"                    // 7
    "    - ports:\n"               // 8
    "      - '90'\n"               // 9
    "---\n"                        // 10
    "kind: List\n"                 // 11
    "items:\n"                     // 12
    "- kind: B\n"                  // 13
    "  spec:\n"                    // 14
    "    name: b\n";               // 15

TEST_CASE("a field is found by its keys, a value below it by its text") {
  CHECK(line_of(kText, 1, {"spec"}) == 2);
  CHECK(line_of(kText, 1, {"spec", "selector"}) == 3);
  CHECK(line_of(kText, 1, {"spec", "selector"}, "app") == 4);
  CHECK(line_of(kText, 1, {"spec", "rules"}, "90") == 9);
  CHECK(line_of(kText, 1, {"spec", "rules", "to", "ports"}, "80") == 6);
  CHECK(line_of(kText, 1, {"spec", "rules", "to", "ports"}, "90") == 9);
  CHECK(line_of(kText, 13, {"spec", "name"}) == 15);
}

TEST_CASE("an item of a list is found by its place in it") {
  CHECK(line_of(kText, 1, {"spec", "rules[0]"}) == 6);
  CHECK(line_of(kText, 1, {"spec", "rules[1]", "to[0]"}) == 8);
  CHECK(line_of(kText, 1, {"spec", "rules[1]", "to"}, "90") == 9);
  CHECK(line_of(kText, 1, {"spec", "rules[2]"}) == 2);
  CHECK(line_of(kText, 1, {"spec", "rules[x]"}) == 2);
  CHECK(line_of(kText, 1, {"spec", "selector[0]"}) == 2);
}

TEST_CASE("what is not there gives the line of what is nearest around it") {
  CHECK(line_of(kText, 1, {"spec", "rules"}, "100") == 5);
  CHECK(line_of(kText, 1, {"spec", "selector", "matchLabels"}) == 3);
  CHECK(line_of(kText, 1, {"status", "podIP"}) == 1);
  CHECK(line_of(kText, 1, {}) == 1);
  // No object begins there: the file was changed since.
  CHECK(line_of(kText, 5, {"spec"}) == 5);
  CHECK(line_of("a: [", 1, {"a"}) == 1);
  CHECK(line_of("", 1, {"a"}) == 1);
}

}  // namespace
}  // namespace aquifer::manifests
