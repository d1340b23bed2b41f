#include "ztunnel/explain/explain_json.h"

#include <nlohmann/json.hpp>

#include <string_view>

namespace aquifer::ztunnel {
namespace {

using nlohmann::json;

void put(json& object, std::string_view name, const std::string& value) {
  if (!value.empty()) object[std::string(name)] = value;
}

json policy_json(const PolicyLine& line) {
  json object{{"kind", line.kind}, {"name", line.name}, {"matched", line.matched}};
  put(object, "action", line.action);
  if (line.dry_run) object["dryRun"] = true;
  put(object, "why", line.why);
  return object;
}

json verdict_json(const Judgement& verdict) {
  json policies = json::array();
  for (const PolicyLine& line : verdict.policies) policies.push_back(policy_json(line));
  json object{{"verdict", name_of(verdict.outcome)}, {"policies", std::move(policies)}};
  put(object, "reason", verdict.reason);
  put(object, "flag", verdict.flag);
  put(object, "policy", verdict.policy);
  put(object, "detail", verdict.detail);
  put(object, "nearestMiss", verdict.nearest_miss);
  if (!verdict.notes.empty()) object["notes"] = verdict.notes;
  return object;
}

json endpoint_json(const EndpointStep& endpoint) {
  json object{{"address", endpoint.address},
              {"eligible", endpoint.eligible},
              {"standing", endpoint.standing},
              {"weight", endpoint.weight},
              {"verdict", name_of(endpoint.outcome)}};
  put(object, "workload", endpoint.workload);
  put(object, "node", endpoint.node);
  put(object, "path", endpoint.path);
  put(object, "waypoint", endpoint.waypoint);
  put(object, "tunnel", endpoint.tunnel);
  if (endpoint.eligible && !endpoint.tunnel.empty()) object["sameNode"] = endpoint.same_node;
  if (!endpoint.expected_identities.empty())
    object["expectedIdentities"] = endpoint.expected_identities;
  if (endpoint.eligible) {
    object["egress"] = verdict_json(endpoint.egress);
    object["inbound"] = verdict_json(endpoint.inbound);
  }
  return object;
}

json endpoints_json(const std::vector<EndpointStep>& endpoints) {
  json list = json::array();
  for (const EndpointStep& endpoint : endpoints) list.push_back(endpoint_json(endpoint));
  return list;
}

json route_json(const RouteStep& step) {
  json backends = json::array();
  for (const RouteBackend& backend : step.backends) {
    json one{{"weight", backend.weight}, {"of", backend.total}};
    put(one, "cluster", backend.cluster);
    put(one, "note", backend.note);
    backends.push_back(std::move(one));
  }
  json passed = json::array();
  for (const PassedRoute& route : step.passed_over)
    passed.push_back({{"route", route.route}, {"origin", route.origin}, {"why", route.why}});
  json object{{"request", step.request},         {"action", step.action},
              {"backends", std::move(backends)}, {"also", step.also},
              {"passedOver", std::move(passed)}, {"passedOverMore", step.passed_over_more}};
  put(object, "chain", step.chain);
  put(object, "route", step.route);
  put(object, "origin", step.origin);
  return object;
}

json connection_json(const ConnectionStep& connection) {
  json object{{"destination", connection.destination},
              {"verdict", name_of(connection.outcome)},
              {"endpoints", endpoints_json(connection.endpoints)}};
  if (!connection.service.empty()) {
    object["service"] = {{"hostname", connection.service}, {"namespace", connection.service_ns}};
  }
  if (!connection.waypoint.name.empty()) {
    object["waypoint"] = {{"name", connection.waypoint.name},
                          {"via", connection.waypoint.via},
                          {"standing", connection.waypoint.standing}};
    object["behindWaypoint"] = endpoints_json(connection.behind);
  }
  if (connection.route) object["route"] = route_json(*connection.route);
  put(object, "failure", connection.failure);
  if (!connection.notes.empty()) object["notes"] = connection.notes;
  return object;
}

json source_json(const SourceStep& source) {
  json object{{"captured", source.captured}, {"why", source.why}};
  put(object, "workload", source.workload);
  put(object, "address", source.address);
  put(object, "node", source.node);
  put(object, "identity", source.identity);
  return object;
}

json name_json(const NameStep& name) {
  json object{
      {"asked", name.asked}, {"answeredBy", name.answered_by}, {"addresses", name.addresses}};
  put(object, "service", name.service);
  put(object, "why", name.why);
  return object;
}

json refusal_json(const PastRefusal& refusal) {
  json object = json::object();
  put(object, "time", refusal.time);
  put(object, "direction", refusal.direction);
  put(object, "from", refusal.from);
  put(object, "identity", refusal.identity);
  put(object, "to", refusal.to);
  put(object, "reason", refusal.reason);
  put(object, "policy", refusal.policy);
  put(object, "detail", refusal.detail);
  return object;
}

}  // namespace

json explanation_json(const Explanation& explanation) {
  json connections = json::array();
  for (const ConnectionStep& connection : explanation.connections)
    connections.push_back(connection_json(connection));
  json object{{"question",
               {{"from", explanation.question.from_text}, {"to", explanation.question.to_text}}},
              {"verdict", name_of(explanation.outcome)},
              {"source", source_json(explanation.source)},
              {"connections", std::move(connections)},
              {"notes", explanation.notes}};
  if (explanation.name) object["name"] = name_json(*explanation.name);
  if (explanation.refusals) {
    object["refusals"] = json::array();
    for (const PastRefusal& refusal : *explanation.refusals)
      object["refusals"].push_back(refusal_json(refusal));
  }
  return object;
}

}  // namespace aquifer::ztunnel
