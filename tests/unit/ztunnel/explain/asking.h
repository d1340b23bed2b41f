// Asking `ztunnel explain` about a mesh that a test writes down.
#pragma once

#include "tests/unit/config/manifests/fixtures.h"
#include "ztunnel/explain/explain.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

namespace aquifer::ztunnel::test {

inline Question question(std::string_view from, std::string_view to) {
  Question result;
  result.from_text = from;
  result.to_text = to;
  result.from = parse_source(from).value();
  result.to = parse_destination(to).value();
  return result;
}

inline Explanation ask(const Question& asked, const std::string& mesh) {
  const auto loaded = manifests::test::load_text(mesh);
  REQUIRE_MESSAGE(!loaded.broken, loaded.text());
  auto explanation = explain(*loaded.snapshot(), asked, {});
  REQUIRE(explanation.has_value());
  return std::move(*explanation);
}

/// The answer about the only address that is dialled.
inline ConnectionStep ask_one(std::string_view from, std::string_view to, const std::string& mesh) {
  Explanation answer = ask(question(from, to), mesh);
  REQUIRE(answer.connections.size() == 1);
  CHECK(answer.outcome == answer.connections.front().outcome);
  return std::move(answer.connections.front());
}

inline bool has_note(const std::vector<std::string>& notes, std::string_view text) {
  for (const std::string& note : notes) {
    if (note.contains(text)) return true;
  }
  return false;
}

}  // namespace aquifer::ztunnel::test
