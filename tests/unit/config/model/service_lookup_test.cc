// Services by address and host name: exact before ranges, visibility, the client's own namespace.
// The cases are those of the peer's state/service.rs, by name.
#include "config/model/resolve.h"
#include "config/model/resolve_trace.h"
#include "config/model/store.h"
#include "tests/unit/config/model/fixtures.h"

#include <doctest/doctest.h>

namespace aquifer::model {
namespace {

using namespace test;

struct Wanted {
  std::string name;
  std::string ns = "default";
  std::vector<std::string> vips = {};
  std::vector<std::string> ranges = {};
  std::vector<std::string> export_to = {};
  std::string network = {};
  std::string hostname = {};
  bool canonical = false;
};

ServiceRecord make(const Wanted& wanted) {
  Service service;
  service.ns = wanted.ns;
  service.name = wanted.name;
  service.hostname = wanted.hostname.empty() ? wanted.name + "." + wanted.ns : wanted.hostname;
  for (const std::string& vip : wanted.vips) service.vips.push_back({wanted.network, ip(vip)});
  for (const std::string& range : wanted.ranges)
    service.cidr_vips.push_back({wanted.network, Cidr::parse(range).value()});
  service.export_to = wanted.export_to;
  service.canonical = wanted.canonical;
  return {std::make_shared<const Service>(service), std::make_shared<const EndpointSet>()};
}

SnapshotPtr mesh_of(const std::vector<Wanted>& services) {
  std::vector<ServiceRecord> records;
  for (const Wanted& wanted : services) records.push_back(make(wanted));
  return snapshot({}, records);
}

// NAMESPACE/NAME of what is found, or "none".
std::string found(const SnapshotPtr& mesh, std::string_view address,
                  std::string_view client_ns = "default", std::string_view network = "") {
  const auto& record = mesh->service_by_vip(network, ip(address), client_ns);
  return record == nullptr ? "none" : record->service->ns + "/" + record->service->name;
}

TEST_CASE("shared_vip_different_namespaces: the client's own namespace has its service") {
  const auto mesh = mesh_of({{.name = "s", .ns = "a", .vips = {"10.0.0.1"}},
                             {.name = "s", .ns = "b", .vips = {"10.0.0.1"}}});
  CHECK(found(mesh, "10.0.0.1", "a") == "a/s");
  CHECK(found(mesh, "10.0.0.1", "b") == "b/s");
  CHECK(found(mesh, "10.0.0.1", "other") == "a/s");
}

TEST_CASE("a canonical service is found by strangers, whatever its name") {
  const auto mesh = mesh_of({{.name = "s", .ns = "a", .vips = {"10.0.0.1"}},
                             {.name = "s", .ns = "b", .vips = {"10.0.0.1"}, .canonical = true}});
  CHECK(found(mesh, "10.0.0.1", "other") == "b/s");
  CHECK(found(mesh, "10.0.0.1", "a") == "a/s");
}

TEST_CASE("namespace_visibility_vip: a service exported to its own namespace is nobody else's") {
  const auto mesh = mesh_of({{.name = "s", .ns = "a", .vips = {"10.0.0.1"}, .export_to = {"a"}}});
  CHECK(found(mesh, "10.0.0.1", "a") == "a/s");
  CHECK(found(mesh, "10.0.0.1", "b") == "none");
}

TEST_CASE("a service exported to some namespaces is seen there, one exported to nobody nowhere") {
  const auto mesh =
      mesh_of({{.name = "some", .ns = "a", .vips = {"10.0.0.1"}, .export_to = {"b", "c"}},
               {.name = "hidden", .ns = "a", .vips = {"10.0.0.2"}, .export_to = {"~"}}});
  CHECK(found(mesh, "10.0.0.1", "a") == "none");
  CHECK(found(mesh, "10.0.0.1", "c") == "a/some");
  CHECK(found(mesh, "10.0.0.2", "a") == "none");
}

TEST_CASE("visibility_filtered_exact_vip_falls_through_to_cidr") {
  const auto mesh = mesh_of({{.name = "exact", .ns = "a", .vips = {"10.0.0.1"}, .export_to = {"a"}},
                             {.name = "range", .ns = "b", .ranges = {"10.0.0.0/24"}}});
  CHECK(found(mesh, "10.0.0.1", "a") == "a/exact");
  CHECK(found(mesh, "10.0.0.1", "b") == "b/range");
}

TEST_CASE("cidr_match_v4 and cidr_match_v6: first and last address are in, their neighbours not") {
  const auto mesh = mesh_of(
      {{.name = "four", .ranges = {"10.1.0.0/30"}}, {.name = "six", .ranges = {"fd00:1::/126"}}});
  CHECK(found(mesh, "10.1.0.0") == "default/four");
  CHECK(found(mesh, "10.1.0.3") == "default/four");
  CHECK(found(mesh, "10.1.0.4") == "none");
  CHECK(found(mesh, "10.0.255.255") == "none");
  CHECK(found(mesh, "fd00:1::3") == "default/six");
  CHECK(found(mesh, "fd00:1::4") == "none");
}

TEST_CASE("longest_prefix_match_v4 and _v6: the narrowest range counts") {
  const auto mesh = mesh_of({{.name = "wide", .ranges = {"10.0.0.0/8", "fd00::/16"}},
                             {.name = "middle", .ranges = {"10.1.0.0/16", "fd00:1::/32"}},
                             {.name = "narrow", .ranges = {"10.1.2.0/24", "fd00:1:2::/48"}}});
  CHECK(found(mesh, "10.1.2.3") == "default/narrow");
  CHECK(found(mesh, "10.1.3.3") == "default/middle");
  CHECK(found(mesh, "10.2.0.1") == "default/wide");
  CHECK(found(mesh, "fd00:1:2::1") == "default/narrow");
  CHECK(found(mesh, "fd00:1:3::1") == "default/middle");
  CHECK(found(mesh, "fd00:2::1") == "default/wide");
}

TEST_CASE("dual_stack_cidr and cidr_family_mismatch: a range holds addresses of its family alone") {
  const auto mesh = mesh_of({{.name = "all", .ranges = {"0.0.0.0/0"}}});
  CHECK(found(mesh, "1.2.3.4") == "default/all");
  CHECK(found(mesh, "fd00::1") == "none");
}

TEST_CASE("exact_match_priority_over_cidr, of either family, also of another namespace") {
  const auto mesh =
      mesh_of({{.name = "range", .ranges = {"10.0.0.1/32", "10.0.0.0/24", "fd00::/64"}},
               {.name = "exact", .ns = "other", .vips = {"10.0.0.1", "fd00::1"}}});
  CHECK(found(mesh, "10.0.0.1") == "other/exact");
  CHECK(found(mesh, "fd00::1") == "other/exact");
  CHECK(found(mesh, "10.0.0.2") == "default/range");
  CHECK(found(mesh, "fd00::2") == "default/range");
}

TEST_CASE("cidr_network_scoping: an address of another network is another address") {
  const auto mesh = mesh_of({{.name = "here", .ranges = {"10.0.0.0/8"}, .network = "one"},
                             {.name = "exact", .vips = {"10.0.0.1"}, .network = "two"}});
  CHECK(found(mesh, "10.0.0.1", "default", "one") == "default/here");
  CHECK(found(mesh, "10.0.0.1", "default", "two") == "default/exact");
  CHECK(found(mesh, "10.0.0.2", "default", "two") == "none");
  CHECK(found(mesh, "10.0.0.1", "default", "") == "none");
}

TEST_CASE("cidr_remove_cleanup: a range that went or changed is found no more") {
  Store store;
  Changes changes;
  changes.upserted_services = {make({.name = "s", .ranges = {"10.0.0.0/24", "10.1.0.0/16"}})};
  auto mesh = store.apply(changes).after;
  CHECK(found(mesh, "10.0.0.9") == "default/s");
  changes.upserted_services = {make({.name = "s", .ranges = {"10.1.0.0/16"}})};
  mesh = store.apply(changes).after;
  CHECK(found(mesh, "10.0.0.9") == "none");
  CHECK(found(mesh, "10.1.0.9") == "default/s");
  Changes removal;
  removal.removed_services = {"default/s.default"};
  mesh = store.apply(removal).after;
  CHECK(found(mesh, "10.1.0.9") == "none");
}

TEST_CASE("overlapping_cidr_different_namespaces: equal ranges, each namespace has its own") {
  const auto mesh = mesh_of({{.name = "s", .ns = "a", .ranges = {"10.0.0.0/24"}},
                             {.name = "s", .ns = "b", .ranges = {"10.0.0.0/24"}}});
  CHECK(found(mesh, "10.0.0.1", "a") == "a/s");
  CHECK(found(mesh, "10.0.0.1", "b") == "b/s");
}

TEST_CASE("cidr_namespace_preferred_over_cidr_specificity") {
  const auto mesh = mesh_of({{.name = "narrow", .ns = "a", .ranges = {"10.0.0.0/24"}},
                             {.name = "wide", .ns = "b", .ranges = {"10.0.0.0/8"}}});
  CHECK(found(mesh, "10.0.0.1", "b") == "b/wide");
  CHECK(found(mesh, "10.0.0.1", "a") == "a/narrow");
  CHECK(found(mesh, "10.0.0.1", "c") == "a/narrow");
}

TEST_CASE("an invisible narrow range does not hide a visible wide one") {
  const auto mesh =
      mesh_of({{.name = "narrow", .ns = "a", .ranges = {"10.0.0.0/24"}, .export_to = {"a"}},
               {.name = "wide", .ns = "b", .ranges = {"10.0.0.0/8"}}});
  CHECK(found(mesh, "10.0.0.1", "c") == "b/wide");
}

TEST_CASE("namespace_visibility_host: every service of a host name can be looked at") {
  const auto mesh = mesh_of({{.name = "x", .ns = "a", .hostname = "api.example.com"},
                             {.name = "y", .ns = "b", .hostname = "api.example.com"},
                             {.name = "z", .ns = "b", .hostname = "other.example.com"}});
  std::vector<std::string> names;
  mesh->for_each_service_of_host("api.example.com", [&](const ServiceRecordPtr& record) {
    names.push_back(record->service->name);
  });
  CHECK(names == std::vector<std::string>{"x", "y"});
}

TEST_CASE("a trace names every service with the address, and why it is not the one") {
  const auto mesh =
      mesh_of({{.name = "hidden", .ns = "a", .vips = {"10.0.0.1"}, .export_to = {"a"}},
               {.name = "wide", .ns = "b", .ranges = {"10.0.0.0/8"}},
               {.name = "narrow", .ns = "b", .ranges = {"10.0.0.0/24"}}});
  const auto trace =
      trace_resolve(*mesh, {share(pod("client", "10.9.0.9")), dst("10.0.0.1:80"), 1});
  REQUIRE(trace.services.size() == 3);
  CHECK(trace.services[0].service->name == "hidden");
  CHECK(trace.services[0].verdict == ServiceCandidate::Verdict::invisible);
  CHECK_FALSE(trace.services[0].range);
  CHECK(trace.services[1].service->name == "narrow");
  CHECK(trace.services[1].verdict == ServiceCandidate::Verdict::chosen);
  CHECK(trace.services[1].range->to_string() == "10.0.0.0/24");
  CHECK(trace.services[2].verdict == ServiceCandidate::Verdict::less_preferred);
}

}  // namespace
}  // namespace aquifer::model
