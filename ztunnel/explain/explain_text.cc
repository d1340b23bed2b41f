#include "ztunnel/explain/explain_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

namespace aquifer::ztunnel {
namespace {

// A person reads a handful of endpoints; --json has them all.
constexpr std::size_t kEndpointsShownMax = 8;

// What stands before the text of a line: two columns of labels.
constexpr std::string_view kIndent = "            ";

// Names and values come from files: they must not be able to end a line or steer the terminal.
std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return result;
}

class Writer {
 public:
  explicit Writer(Colour colour) : colour_(colour) {}

  // A line of the outermost level: what it is about, then the text.
  void line(std::string_view label, std::string_view text) {
    text_ += fmt::format("{} {}\n", painted("1", fmt::format("{:<11}", label)), text);
  }
  void more(std::string_view text, std::size_t deeper = 0) {
    text_ += fmt::format("{}{:{}}{}\n", kIndent, "", deeper, text);
  }
  void blank() { text_ += '\n'; }

  [[nodiscard]] std::string outcome(Outcome outcome) const {
    switch (outcome) {
      case Outcome::allowed: return painted("32", "allowed");
      case Outcome::denied: return painted("1;31", "DENIED");
      case Outcome::fails: return painted("1;31", "FAILS");
      case Outcome::undecided: return painted("33", "undecided");
      case Outcome::not_asked: return "not judged";
    }
    return "";
  }
  [[nodiscard]] std::string bright(std::string_view text) const { return painted("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return painted("2", text); }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  [[nodiscard]] std::string painted(std::string_view code, std::string_view text) const {
    if (colour_ == Colour::off) return std::string(text);
    return fmt::format("\033[{}m{}\033[0m", code, text);
  }

  Colour colour_;
  std::string text_;
};

void write_source(Writer& writer, const SourceStep& source) {
  std::string who = printable(source.workload.empty() ? source.address : source.workload);
  if (!source.workload.empty()) {
    who += printable(
        fmt::format(" ({}{}{})", source.address, source.node.empty() ? "" : ", on ", source.node));
  }
  writer.line("from", who);
  if (!source.identity.empty()) writer.more(printable(source.identity));
  writer.more(
      fmt::format("{}: {}", source.captured ? "captured" : "not captured", printable(source.why)));
}

void write_name(Writer& writer, const NameStep& name) {
  const std::string answer =
      name.addresses.empty() ? "no address" : fmt::format("{}", fmt::join(name.addresses, ", "));
  writer.line("name", printable(fmt::format("{} -> {}", name.asked, answer)));
  writer.more(printable(name.why));
}

void write_policy(Writer& writer, const PolicyLine& line) {
  const std::string text =
      printable(fmt::format("{} {} {}{}{}", line.matched ? "*" : "-", line.kind, line.name,
                            line.action.empty() ? "" : fmt::format(" ({})", line.action),
                            line.dry_run ? " [dry run: decides nothing]" : ""));
  writer.more(line.matched ? text : writer.dim(text), 4);
  if (!line.why.empty()) writer.more(writer.dim(printable(line.why)), 8);
}

void write_verdict(Writer& writer, std::string_view label, const Judgement& verdict) {
  std::string text = fmt::format("{:<9}{}", label, writer.outcome(verdict.outcome));
  if (!verdict.flag.empty()) text += fmt::format(" [{}]", verdict.flag);
  if (!verdict.reason.empty()) text += fmt::format(": {}", printable(verdict.reason));
  writer.more(text, 2);
  if (!verdict.detail.empty()) writer.more(printable(verdict.detail), 4);
  for (const PolicyLine& line : verdict.policies) write_policy(writer, line);
  if (!verdict.nearest_miss.empty())
    writer.more(writer.bright(fmt::format("nearest miss: {}", printable(verdict.nearest_miss))), 4);
  for (const std::string& note : verdict.notes) writer.more(writer.dim(printable(note)), 4);
}

std::string path_text(const EndpointStep& endpoint) {
  if (endpoint.path == "hbone") {
    return fmt::format("mutual TLS to {}, where only {} may answer", endpoint.tunnel,
                       fmt::join(endpoint.expected_identities, " or "));
  }
  if (endpoint.path == "plain") return "plain TCP: the destination is not in the mesh";
  if (endpoint.path == "passthrough")
    return "plain TCP to the very address: the mesh does not know it";
  return "untouched: the source's proxy has no part in it";
}

void write_endpoint(Writer& writer, const EndpointStep& endpoint) {
  std::string head = printable(endpoint.workload.empty()
                                   ? endpoint.address
                                   : fmt::format("{} {}", endpoint.workload, endpoint.address));
  if (!endpoint.node.empty()) head += printable(fmt::format(" on {}", endpoint.node));
  if (!endpoint.waypoint.empty())
    head += printable(fmt::format(" (through {})", endpoint.waypoint));
  if (!endpoint.eligible) {
    writer.more(writer.dim(fmt::format("{}: {}", head, endpoint.standing)));
    return;
  }
  writer.more(fmt::format("{}: {}", writer.bright(head), writer.outcome(endpoint.outcome)));
  writer.more(printable(path_text(endpoint)), 2);
  if (endpoint.same_node) {
    writer.more(printable(fmt::format(
                    "same-node: handed over inside the node's proxy instead, proven but not "
                    "encrypted, as long as the network lets a connection through to {} "
                    "(AQUIFER_SAME_NODE=off: never)",
                    endpoint.tunnel)),
                2);
  }
  write_verdict(writer, "egress", endpoint.egress);
  write_verdict(writer, "inbound", endpoint.inbound);
}

void write_endpoints(Writer& writer, std::string_view label,
                     const std::vector<EndpointStep>& endpoints) {
  if (endpoints.empty()) return;
  const auto able = std::ranges::count(endpoints, true, &EndpointStep::eligible);
  writer.line(label, fmt::format("{} of {} may get it", able, endpoints.size()));
  // Those that count first.
  std::size_t shown = 0;
  for (const bool eligible : {true, false}) {
    for (const EndpointStep& endpoint : endpoints) {
      if (endpoint.eligible != eligible) continue;
      if (++shown <= kEndpointsShownMax) write_endpoint(writer, endpoint);
    }
  }
  if (shown > kEndpointsShownMax)
    writer.more(writer.dim(fmt::format("and {} more: --json has all", shown - kEndpointsShownMax)));
}

void write_route(Writer& writer, const RouteStep& step) {
  writer.line(
      "route",
      printable(step.route.empty() ? step.action : fmt::format("{}: {}", step.route, step.action)));
  if (!step.origin.empty()) writer.more(printable(step.origin), 2);
  writer.more(
      printable(fmt::format("{}{}{}", step.request, step.chain.empty() ? "" : ", at ", step.chain)),
      2);
  for (const RouteBackend& backend : step.backends) {
    writer.more(printable(fmt::format("{} of {} to {}{}{}", backend.weight, backend.total,
                                      backend.cluster.empty() ? "nobody" : backend.cluster,
                                      backend.note.empty() ? "" : ": ", backend.note)),
                2);
  }
  for (const std::string& line : step.also) writer.more(printable(line), 2);
  for (const PassedRoute& route : step.passed_over) {
    writer.more(writer.dim(printable(
                    fmt::format("not {} ({}): wants {}", route.route, route.origin, route.why))),
                2);
  }
  if (step.passed_over_more > 0)
    writer.more(writer.dim(fmt::format("nor {} more before it", step.passed_over_more)), 2);
}

void write_connection(Writer& writer, const ConnectionStep& connection) {
  writer.line("to", fmt::format("{}: {}", printable(connection.destination),
                                writer.outcome(connection.outcome)));
  if (!connection.service.empty()) {
    writer.more(printable(
        fmt::format("service {} of namespace {}", connection.service, connection.service_ns)));
  }
  if (!connection.waypoint.name.empty()) {
    writer.more(printable(fmt::format("{} {}: {}", connection.waypoint.via,
                                      connection.waypoint.name, connection.waypoint.standing)));
  }
  if (!connection.failure.empty()) writer.more(printable(connection.failure));
  if (connection.route) write_route(writer, *connection.route);
  write_endpoints(writer, "endpoints", connection.endpoints);
  write_endpoints(writer, "behind it", connection.behind);
  for (const std::string& note : connection.notes) writer.more(printable(note));
}

void write_refusals(Writer& writer, const std::vector<PastRefusal>& refusals) {
  if (refusals.empty())
    return writer.line("refusals", "the running ztunnel remembers none of these pods");
  writer.line("refusals", "as the running ztunnel remembers them");
  for (const PastRefusal& refusal : refusals) {
    writer.more(printable(fmt::format(
        "{} {} {} -> {}{}", refusal.time, refusal.direction, refusal.from, refusal.to,
        refusal.identity.empty() ? std::string() : fmt::format(" ({})", refusal.identity))));
    writer.more(printable(refusal.reason), 2);
    if (!refusal.detail.empty()) writer.more(printable(refusal.detail), 2);
  }
}

}  // namespace

std::string_view name_of(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::allowed: return "allowed";
    case Outcome::denied: return "denied";
    case Outcome::fails: return "fails";
    case Outcome::undecided: return "undecided";
    case Outcome::not_asked: return "not asked";
  }
  return "";
}

std::string explanation_text(const Explanation& explanation, Colour colour) {
  Writer writer(colour);
  writer.line("verdict", writer.outcome(explanation.outcome));
  write_source(writer, explanation.source);
  if (explanation.name) write_name(writer, *explanation.name);
  for (const ConnectionStep& connection : explanation.connections)
    write_connection(writer, connection);
  if (explanation.refusals) write_refusals(writer, *explanation.refusals);
  for (const std::string& note : explanation.notes) writer.line("note", printable(note));
  return writer.take();
}

}  // namespace aquifer::ztunnel
