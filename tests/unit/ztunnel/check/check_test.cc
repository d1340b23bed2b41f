// What `ztunnel check` says in the end: the summary, the JSON, and when a pipeline goes on.
#include "ztunnel/check/check.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace aquifer::ztunnel {
namespace {

using manifests::CheckedMesh;
using manifests::Diagnostic;
using manifests::Severity;

CheckedMesh mesh_with(std::vector<Diagnostic> diagnostics) {
  manifests::Report report;
  for (Diagnostic& one : diagnostics) report.add(std::move(one));
  return {.findings = report.take(), .refused = false, .files = 2, .objects = 5};
}

Diagnostic warning() {
  return {.severity = Severity::warning,
          .file = "a.yaml",
          .line = 3,
          .object = "Pod shop/web",
          .field = "spec.nodeName",
          .text = "missing"};
}

Diagnostic error() {
  Diagnostic diagnostic = warning();
  diagnostic.severity = Severity::error;
  return diagnostic;
}

const CheckOptions kPlain{.paths = {"mesh"}};
const CheckOptions kStrict{.paths = {"mesh"}, .json = false, .strict = true};

TEST_CASE("errors fail a check, warnings only a strict one") {
  CHECK(check_passes(kPlain, mesh_with({})));
  CHECK(check_passes(kStrict, mesh_with({})));
  CHECK(check_passes(kPlain, mesh_with({warning()})));
  CHECK_FALSE(check_passes(kStrict, mesh_with({warning()})));
  CHECK_FALSE(check_passes(kPlain, mesh_with({warning(), error()})));
}

TEST_CASE("the summary counts, and says whether a proxy would load the mesh") {
  CHECK(check_summary(kPlain, mesh_with({})) ==
        "mesh: 5 objects in 2 files: no errors, no warnings");
  CheckedMesh refused = mesh_with({error(), warning(), warning()});
  refused.refused = true;
  CHECK(check_summary({.paths = {"a", "b.yaml"}}, refused) ==
        "a, b.yaml: 5 objects in 2 files: 1 error, 2 warnings; a proxy would refuse this mesh");
}

TEST_CASE("the JSON has every finding with what is known of its place") {
  Diagnostic bare;
  bare.text = "\xff not UTF-8";
  const auto json = nlohmann::json::parse(check_json(kPlain, mesh_with({error(), bare})));
  CHECK(json["ok"] == false);
  CHECK(json["refused"] == false);
  CHECK(json["files"] == 2);
  CHECK(json["objects"] == 5);
  CHECK(json["errors"] == 2);
  CHECK(json["warnings"] == 0);
  CHECK(json["leftOut"] == 0);
  const auto first =
      nlohmann::json{{"severity", "error"},      {"file", "a.yaml"},         {"line", 3},
                     {"object", "Pod shop/web"}, {"field", "spec.nodeName"}, {"text", "missing"}};
  CHECK(json["findings"][1] == first);
  CHECK(json["findings"][0].size() == 2);
}

TEST_CASE("more findings than are listed are counted all the same") {
  std::vector<Diagnostic> many(1'500, warning());
  many.push_back(error());
  const CheckedMesh mesh = mesh_with(std::move(many));
  CHECK(check_summary(kPlain, mesh) == "mesh: 5 objects in 2 files: 1 error, 1500 warnings");
  const auto json = nlohmann::json::parse(check_json(kPlain, mesh));
  CHECK(json["errors"] == 1);
  CHECK(json["warnings"] == 1500);
  CHECK(json["leftOut"] == 501);
  CHECK(json["findings"].size() == 1'000);
  for (const auto& finding : json["findings"]) CHECK(finding["text"] == "missing");
}

}  // namespace
}  // namespace aquifer::ztunnel
