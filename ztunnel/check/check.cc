#include "ztunnel/check/check.h"

#include "ztunnel/mesh_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

namespace aquifer::ztunnel {
namespace {

using manifests::CheckedMesh;
using manifests::Diagnostic;
using manifests::Severity;

constexpr int kFailure = 1;

// "1 error", "2 errors", "no errors"
std::string counted(std::size_t number, std::string_view noun) {
  if (number == 0) return fmt::format("no {}s", noun);
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

nlohmann::json finding_json(const Diagnostic& finding) {
  nlohmann::json json{{"severity", finding.severity == Severity::error ? "error" : "warning"},
                      {"text", finding.text}};
  if (!finding.file.empty()) json["file"] = finding.file;
  if (finding.line != 0) json["line"] = finding.line;
  if (!finding.object.empty()) json["object"] = finding.object;
  if (!finding.field.empty()) json["field"] = finding.field;
  return json;
}

}  // namespace

bool check_passes(const CheckOptions& options, const CheckedMesh& mesh) {
  if (mesh.findings.errors > 0 || mesh.refused) return false;
  return !options.strict || mesh.findings.warnings == 0;
}

std::string check_summary(const CheckOptions& options, const CheckedMesh& mesh) {
  return fmt::format("{}: {} in {}: {}, {}{}", fmt::join(options.paths, ", "),
                     counted(mesh.objects, "object"), counted(mesh.files, "file"),
                     counted(mesh.findings.errors, "error"),
                     counted(mesh.findings.warnings, "warning"),
                     mesh.refused ? "; a proxy would refuse this mesh" : "");
}

std::string check_json(const CheckOptions& options, const CheckedMesh& mesh) {
  nlohmann::json findings = nlohmann::json::array();
  for (const Diagnostic& finding : mesh.findings.diagnostics)
    findings.push_back(finding_json(finding));
  const nlohmann::json json{{"ok", check_passes(options, mesh)},
                            {"refused", mesh.refused},
                            {"files", mesh.files},
                            {"objects", mesh.objects},
                            {"errors", mesh.findings.errors},
                            {"warnings", mesh.findings.warnings},
                            {"leftOut", mesh.findings.left_out()},
                            {"findings", std::move(findings)}};
  // What is not UTF-8 in a manifest must not end the program.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

int check_mesh(const Settings& settings, const CheckOptions& options) {
  const std::vector<std::filesystem::path> paths(options.paths.begin(), options.paths.end());
  const CheckedMesh mesh = manifests::MeshSource(paths, load_options_of(settings)).check();
  if (options.json) {
    fmt::print("{}\n", check_json(options, mesh));
  } else {
    fmt::print(stderr, "{}", manifests::render(manifests::with_left_out(mesh.findings)));
    fmt::print("{}\n", check_summary(options, mesh));
  }
  return check_passes(options, mesh) ? 0 : kFailure;
}

}  // namespace aquifer::ztunnel
