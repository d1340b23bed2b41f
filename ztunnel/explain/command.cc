#include "ztunnel/explain/command.h"

#include "config/manifests/mesh_source.h"
#include "config/model/store.h"
#include "ztunnel/admin_client.h"
#include "ztunnel/explain/explain.h"
#include "ztunnel/explain/explain_json.h"
#include "ztunnel/explain/explain_text.h"
#include "ztunnel/explain/past_refusals.h"
#include "ztunnel/mesh_options.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

namespace aquifer::ztunnel {
namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;
constexpr int kDenied = 3;

// Pods whose refusals are asked for: the source and the first few ends.
constexpr std::size_t kPodsAskedMax = 8;

std::expected<Question, std::string> question_of(const ExplainArguments& arguments) {
  Question question;
  question.from_text = arguments.from;
  question.to_text = arguments.to;
  auto from = parse_source(arguments.from);
  if (!from) return std::unexpected(std::move(from.error()));
  question.from = std::move(*from);
  auto to = parse_destination(arguments.to);
  if (!to) return std::unexpected(std::move(to.error()));
  question.to = std::move(*to);
  if (arguments.plaintext) question.capture = SourceCapture::bypassed;
  question.server_name = arguments.server_name;
  question.node = arguments.node;
  question.http.method = arguments.method;
  question.http.path = arguments.path;
  for (const std::string& text : arguments.headers) {
    auto header = parse_header(text);
    if (!header) return std::unexpected(std::move(header.error()));
    question.http.headers.push_back(std::move(*header));
  }
  return question;
}

std::set<std::string> pods_involved(const Explanation& explanation) {
  std::set<std::string> pods;
  const auto add = [&](const std::string& pod) {
    if (pods.size() < kPodsAskedMax && pod.contains('/')) pods.insert(pod);
  };
  add(explanation.source.workload);
  for (const ConnectionStep& connection : explanation.connections) {
    for (const EndpointStep& endpoint : connection.endpoints) add(endpoint.workload);
    for (const EndpointStep& endpoint : connection.behind) add(endpoint.workload);
  }
  return pods;
}

std::expected<std::vector<PastRefusal>, std::string> ask_admin(const std::string& url,
                                                               const Explanation& explanation) {
  std::vector<PastRefusal> all;
  for (const std::string& pod : pods_involved(explanation)) {
    const auto reply = admin_get(url, "/refusals?pod=" + pod);
    if (!reply) return std::unexpected(reply.error());
    if (reply->status != 200) {
      return std::unexpected(fmt::format(
          "{}/refusals answered {}: is it a ztunnel of this version?", url, reply->status));
    }
    auto refusals = parse_refusals(reply->body);
    if (!refusals) return std::unexpected(fmt::format("{}: {}", url, refusals.error()));
    std::ranges::move(*refusals, std::back_inserter(all));
  }
  std::ranges::sort(all, std::ranges::greater(), &PastRefusal::time);
  if (all.size() > kRefusalsShownMax) all.resize(kRefusalsShownMax);
  return all;
}

int fail_with(int code, const std::string& text) {
  fmt::print(stderr, "ztunnel: {}\n", text);
  return code;
}

void print(const ExplainArguments& arguments, const Explanation& explanation) {
  if (arguments.json) {
    const auto replace = nlohmann::json::error_handler_t::replace;
    fmt::print("{}\n", explanation_json(explanation).dump(2, ' ', false, replace));
    return;
  }
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  fmt::print("{}", explanation_text(explanation, terminal ? Colour::on : Colour::off));
}

}  // namespace

int explain_command(const Settings& settings, const ExplainArguments& arguments) {
  if (settings.mesh_path.empty())
    return fail_with(kUsage, "explain needs --mesh PATH, the mesh directory or file");
  auto question = question_of(arguments);
  if (!question) return fail_with(kUsage, question.error());

  manifests::MeshSource source({settings.mesh_path}, load_options_of(settings));
  const auto mesh = source.load();
  if (!mesh) {
    fmt::print(stderr, "{}", manifests::render(mesh.error()));
    return kFailure;
  }
  model::Store store;
  const model::SnapshotPtr snapshot = store.replace(mesh->state).after;
  ExplainOptions options;
  options.network = settings.network;
  options.dns.cluster_domain = settings.cluster_domain;
  options.why_captured = [&source](const model::Workload& workload) {
    return source.why_captured(workload.ns, workload.name);
  };
  auto explanation = explain(*snapshot, *question, options);
  if (!explanation) return fail_with(kFailure, explanation.error());
  if (!mesh->warnings.empty()) {
    explanation->notes.push_back(
        fmt::format("the mesh has {} warning{}: see ztunnel check {}", mesh->warnings.size(),
                    mesh->warnings.size() == 1 ? "" : "s", settings.mesh_path));
  }
  int code = 0;
  if (!arguments.admin.empty()) {
    if (auto refusals = ask_admin(arguments.admin, *explanation)) {
      explanation->refusals = std::move(*refusals);
    } else {
      code = fail_with(kFailure, refusals.error());
    }
  }
  print(arguments, *explanation);
  const bool bad =
      explanation->outcome == Outcome::denied || explanation->outcome == Outcome::fails;
  return code == 0 && bad && arguments.verdict_exit ? kDenied : code;
}

}  // namespace aquifer::ztunnel
