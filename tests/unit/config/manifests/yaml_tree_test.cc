// The YAML reader: what it builds, and that no file can make it expensive.
#include "config/manifests/yaml_tree.h"

#include "config/manifests/limits.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

namespace aquifer::manifests {
namespace {

// The error of a text, or "" when there is none.
std::string error_of(const std::string& text, const YamlLimits& limits = {}) {
  const auto result = for_each_document(text, [](const YamlNode&) {}, limits);
  return result ? "" : fmt::format("{}: {}", result.error().line, result.error().text);
}

TEST_CASE("documents are given one by one, with lines that count from 1") {
  int documents = 0;
  const auto result = for_each_document(
      "a: 1\nb:\n  - x\n  - {c: d}\n---\n---\ne: \"\"\n", [&](const YamlNode& root) {
        ++documents;
        if (documents == 1) {
          CHECK(root.find("a")->text == "1");
          CHECK(root.find("b")->children.size() == 2);
          CHECK(root.find("b")->children[1]->find("c")->line == 4);
          CHECK(root.find("nothing") == nullptr);
        }
        if (documents == 2) CHECK(root.kind == YamlKind::null);
        if (documents == 3) CHECK(root.find("e")->kind == YamlKind::scalar);
      });
  CHECK(result.has_value());
  CHECK(documents == 3);
}

TEST_CASE("an empty text has no documents, and text that is no YAML says where") {
  CHECK(error_of("").empty());
  CHECK(error_of("# only a comment\n").empty());
  CHECK(error_of("a: [1, 2\nb: 3\n").starts_with("2: not YAML: "));
  CHECK(error_of("a: 1\n  b: 2\n").starts_with("2: not YAML: "));
  CHECK(error_of("a: \"open").contains("not YAML"));
}

TEST_CASE("a repeated key is an error that names both lines") {
  CHECK(error_of("spec: 1\nother: 2\nspec: 3\n") ==
        "3: the key \"spec\" stands here again, first on line 1: keep one");
  std::string many;
  for (int i = 0; i < 100; ++i) many += fmt::format("k{}: v\n", i);
  CHECK(error_of(many).empty());
  CHECK(error_of(many + "k42: again\n").contains("first on line 43"));
}

TEST_CASE("an alias is its anchor's value; one to itself is refused") {
  const auto result = for_each_document("a: &x {b: c}\nd: *x\n", [](const YamlNode& root) {
    CHECK(root.find("d")->find("b")->text == "c");
    CHECK(root.find("d")->expanded == 3);
  });
  CHECK(result.has_value());
  CHECK(error_of("a: &x [*x]\n").contains("an alias to what it stands in"));
  CHECK(error_of("a: *nobody\n").contains("not YAML"));
  CHECK(error_of("a: &x {b: c}\nd: {<<: *x}\n").contains("merge keys"));
}

TEST_CASE("a bomb of aliases is refused by what it would expand to") {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 20; ++i) {
    bomb += fmt::format("a{}: &a{} [*a{},*a{},*a{},*a{},*a{},*a{},*a{},*a{},*a{},*a{}]\n", i, i,
                        i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
  }
  CHECK(error_of(bomb).contains("aliases expand to more than"));
}

TEST_CASE("aliases cannot make a document deeper than the limit") {
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) chain += fmt::format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  CHECK(error_of(chain).contains("nested deeper"));
}

TEST_CASE("depth is limited, far below where a parser would run out of stack") {
  CHECK(error_of(std::string(kDepthMax, '[') + std::string(kDepthMax, ']')).empty());
  CHECK(error_of(std::string(kDepthMax + 1, '[') + std::string(kDepthMax + 1, ']'))
            .contains("nested deeper"));
  CHECK_FALSE(error_of(std::string(1'000'000, '[')).empty());
  CHECK_FALSE(error_of(std::string(100'000, '{')).empty());
}

TEST_CASE("the number of documents is limited") {
  const YamlLimits limits{.documents = 3};
  CHECK(error_of("a\n---\na\n---\na\n", limits).empty());
  CHECK(error_of("a\n---\na\n---\na\n---\na\n", limits)
            .contains("more than 3 documents in one file"));
}

TEST_CASE("the number of values in a file is limited, over all its documents") {
  const YamlLimits limits{.nodes = 6};
  CHECK(error_of("[a, b]\n---\n[c, d]\n", limits).empty());
  CHECK(error_of("[a, b]\n---\n[c, d, e]\n", limits).contains("more than 6 values in one file"));
}

TEST_CASE("keys must be plain") {
  CHECK(error_of("? [a]\n: b\n").contains("a key must be plain text"));
}

}  // namespace
}  // namespace aquifer::manifests
