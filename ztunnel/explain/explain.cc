#include "ztunnel/explain/explain.h"

#include "ztunnel/dns/name.h"
#include "ztunnel/explain/request_route.h"
#include "ztunnel/explain/way.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::ztunnel {
namespace {

// Names of pods offered to somebody who misspelt one.
constexpr std::size_t kNamesOfferedMax = 5;
// Addresses of one name that are explained: a headless service has one for each pod.
constexpr std::size_t kAddressesExplainedMax = 32;

std::string no_such_pod(const model::Snapshot& snapshot, const ExplainSource& from) {
  std::vector<std::string> names;
  snapshot.for_each_workload([&](const model::WorkloadPtr& workload) {
    if (workload->ns == from.ns && model::is_pod_uid(workload->uid))
      names.push_back(workload->name);
  });
  std::ranges::sort(names);
  std::string text = fmt::format("--from {}/{}: there is no such pod; ", from.ns, from.pod);
  if (names.empty()) return text + fmt::format("namespace {} has no pods at all", from.ns);
  text += fmt::format("namespace {} has", from.ns);
  for (std::size_t i = 0; i < std::min(names.size(), kNamesOfferedMax); ++i)
    text += fmt::format("{} {}", i == 0 ? "" : ",", names[i]);
  if (names.size() > kNamesOfferedMax)
    text += fmt::format(" and {} more", names.size() - kNamesOfferedMax);
  return text;
}

class Explainer {
 public:
  Explainer(const model::Snapshot& snapshot, const Question& question,
            const ExplainOptions& options)
      : snapshot_(snapshot), question_(question), options_(options) {}

  std::expected<Explanation, std::string> explain() && {
    result_.question = question_;
    if (auto wrong = find_source()) return std::unexpected(std::move(*wrong));
    describe_source();
    for (const IpAddress& address : addresses()) {
      const Destination to{.address = {address, question_.to.port},
                           .host = question_.to.host.empty() ? "" : asked_host_,
                           .server_name = question_.server_name,
                           .http = question_.http};
      result_.connections.push_back(explain_way(snapshot_, source_for(address), to));
    }
    conclude();
    return std::move(result_);
  }

 private:
  // A pod of both families connects from its address of the destination's.
  [[nodiscard]] Connecting source_for(const IpAddress& destination) const {
    Connecting from = from_;
    if (question_.from.address) return from;
    const IpAddress* like = model::address_like(*from.workload, destination);
    if (like != nullptr) from.address = *like;
    return from;
  }

  std::optional<std::string> find_source() {
    const ExplainSource& from = question_.from;
    if (from.address) {
      from_.workload = snapshot_.workload_by_ip(options_.network, *from.address);
      from_.address = *from.address;
      if (from_.workload != nullptr) return std::nullopt;
      model::Workload stranger;
      stranger.network = options_.network;
      stranger.addresses = {*from.address};
      from_.workload = std::make_shared<const model::Workload>(std::move(stranger));
      from_.standing = Connecting::Standing::stranger;
      return std::nullopt;
    }
    from_.workload = snapshot_.workload_by_name(from.ns, from.pod);
    if (from_.workload == nullptr) return no_such_pod(snapshot_, from);
    if (from_.workload->addresses.empty())
      return fmt::format("--from {}/{}: it has no address yet", from.ns, from.pod);
    from_.address = from_.workload->addresses.front();
    return std::nullopt;
  }

  void describe_source() {
    const model::Workload& workload = *from_.workload;
    SourceStep& source = result_.source;
    source.address = from_.address.to_string();
    if (from_.standing == Connecting::Standing::stranger) {
      source.why = "the mesh does not know this address";
      return;
    }
    source.workload = fmt::format("{}/{}", workload.ns, workload.name);
    source.node = workload.node;
    source.identity = workload.identity.to_string();
    from_.captured = is_captured(source);
    source.captured = from_.captured;
  }

  bool is_captured(SourceStep& source) const {
    const model::Workload& workload = *from_.workload;
    if (question_.capture == SourceCapture::bypassed) {
      source.why = "--plaintext: as if it were not captured";
      return false;
    }
    if (options_.why_captured) source.why = options_.why_captured(workload);
    if (workload.capture == model::Capture::no) {
      if (source.why.empty()) source.why = "it is not enrolled in the mesh";
      return false;
    }
    if (workload.node.empty()) {
      source.why = "it is enrolled, but has no nodeName: no node captures it";
      return false;
    }
    if (!question_.node.empty() && question_.node != workload.node) {
      source.why = fmt::format("it is on {}, not on {}", workload.node, question_.node);
      return false;
    }
    return true;
  }

  // The addresses that the client may dial, of one family: IPv4 where there is any, as clients
  // without IPv6 do.
  std::vector<IpAddress> addresses() {
    if (question_.to.address) return {*question_.to.address};
    asked_host_ = dns::canonical_name(question_.to.host);
    NameStep& name = result_.name.emplace();
    name.asked = asked_host_;
    std::vector<IpAddress> found = ask(name, dns::RecordType::a);
    std::vector<IpAddress> six = ask(name, dns::RecordType::aaaa);
    if (found.empty()) std::swap(found, six);
    if (!six.empty()) {
      result_.notes.push_back(
          fmt::format("the name has IPv6 addresses, too: ask with --to '[{}]:{}' for those",
                      six.front().to_string(), question_.to.port));
    }
    describe_name(name, found);
    if (found.size() > kAddressesExplainedMax) {
      result_.notes.push_back(fmt::format("{} addresses; the first {} are explained", found.size(),
                                          kAddressesExplainedMax));
      found.resize(kAddressesExplainedMax);
    }
    return found;
  }

  std::vector<IpAddress> ask(NameStep& name, dns::RecordType type) const {
    const dns::Question query{.name = asked_host_, .type = type};
    // A number of its own for the order, which is drawn for each query: sorted, the answer is
    // always the same here.
    const auto answer = dns::decide(snapshot_, from_.workload.get(), query, options_.dns, 0);
    if (!answer) return {};
    name.service = answer->service;
    std::vector<IpAddress> found = answer->addresses;
    std::ranges::sort(found);
    for (const IpAddress& address : found) name.addresses.push_back(address.to_string());
    return found;
  }

  void describe_name(NameStep& name, const std::vector<IpAddress>& found) {
    if (name.service.empty()) {
      name.answered_by = "upstream";
      name.why =
          "no host of the mesh: the query is forwarded to the cluster's DNS, whose answer is "
          "not known here; ask again with the address";
    } else {
      name.answered_by = "mesh";
      name.why = fmt::format("answered by the node's proxy from {}", name.service);
      if (found.empty()) name.why += ", which has no address";
    }
    if (!from_.captured) {
      name.why +=
          "; but the source is not captured and asks the cluster's DNS, which should say the same";
    }
  }

  // Only a waypoint of the service knows routes of it.
  void add_route(ConnectionStep& connection) const {
    if (question_.http.empty() || connection.waypoint.name.empty()) return;
    const model::ServiceRecordPtr& record =
        snapshot_.service_by_host(connection.service_ns, connection.service);
    if (record == nullptr) return;
    const SpiffeId& identity = from_.workload->identity;
    connection.route = explain_route(
        snapshot_, {.service = *record->service,
                    .source = SocketAddress{from_.address, 0},
                    .destination = SocketAddress{from_.address, question_.to.port},
                    .identity = identity.empty() ? nullptr : &identity,
                    .host = asked_host_.empty() ? connection.destination : asked_host_,
                    .http = question_.http});
  }

  void conclude() {
    for (ConnectionStep& connection : result_.connections) add_route(connection);
    Outcome outcome = Outcome::not_asked;
    for (const ConnectionStep& connection : result_.connections)
      outcome = together(outcome, connection.outcome);
    if (result_.connections.empty()) {
      const bool ours = result_.name && result_.name->answered_by == "mesh";
      outcome = ours ? Outcome::fails : Outcome::undecided;
    }
    result_.outcome = outcome;
    const bool no_waypoint = std::ranges::all_of(
        result_.connections,
        [](const ConnectionStep& connection) { return connection.waypoint.name.empty(); });
    if (!question_.http.empty() && no_waypoint) {
      result_.notes.push_back(
          "HTTP attributes (--method, --path, -H) are looked at by waypoints alone, and none is on "
          "this way");
    }
  }

  const model::Snapshot& snapshot_;
  const Question& question_;
  const ExplainOptions& options_;
  Connecting from_;
  std::string asked_host_;
  Explanation result_;
};

}  // namespace

std::expected<Explanation, std::string> explain(const model::Snapshot& snapshot,
                                                const Question& question,
                                                const ExplainOptions& options) {
  return Explainer(snapshot, question, options).explain();
}

}  // namespace aquifer::ztunnel
