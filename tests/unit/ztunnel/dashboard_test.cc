#include "ztunnel/dashboard.h"

#include "config/model/store.h"
#include "ztunnel/html.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

namespace aquifer::ztunnel {
namespace {

constexpr const char* kHostile = "<script>alert(1)</script>\"'&\x01";

model::WorkloadPtr workload(std::string ns, std::string name) {
  auto made = std::make_shared<model::Workload>();
  made->uid = "Kubernetes//Pod/" + ns + "/" + name;
  made->ns = std::move(ns);
  made->name = std::move(name);
  return made;
}

Dashboard page_of(model::Changes changes) {
  Dashboard page;
  page.mesh = model::Snapshot().apply(changes);
  page.node = "node1";
  page.version = "ztunnel 0.1.0";
  page.now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  return page;
}

FlowEvent refusal(const Dashboard& page, std::string reason) {
  FlowEvent event;
  event.kind = FlowKind::refused;
  event.verdict = Verdict::denied;
  event.at = page.now - std::chrono::seconds(5);
  event.facts.direction = telemetry::Direction::inbound;
  event.facts.destination.workload = workload("shop", "api");
  event.facts.source.workload = workload("shop", "web");
  event.reason = std::move(reason);
  event.policy = "shop/deny";
  return event;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("a page without trouble says so, and one with trouble says all of it first") {
  Dashboard page = page_of({});
  CHECK(dashboard_page(page).find("Nothing is wrong.") != std::string::npos);

  page.pods = {{"uid", "shop/web", PodStatus::State::pending, "network namespace: gone"}};
  page.refusal = "mesh/a.yaml:3: Pod shop/x: spec: wrong\nmesh/b.yaml:9: Service s/y: ports: bad\n";
  page.warnings = {
      {manifests::Severity::warning, "mesh/c.yaml", 7, "Pod a/b", "spec.x", "unknown"}};
  page.refusals.flows = {refusal(page, "not allowed"), refusal(page, "not allowed")};
  ca::CertStatus failing;
  failing.state = ca::CertStatus::State::unavailable;
  failing.failure = "the CA does not answer";
  page.certificates = {failing};
  const std::string html = dashboard_page(page);
  CHECK(html.find("Nothing is wrong.") == std::string::npos);
  for (std::string_view part :
       {"Pod shop/web is not captured: network namespace: gone", "mesh/a.yaml:3: Pod shop/x",
        "mesh/b.yaml:9: Service s/y", "mesh/c.yaml:7", "the CA does not answer",
        "Refused 2 times: shop/api from shop/web: not allowed (policy shop/deny)"}) {
    CAPTURE(part);
    const std::size_t at = html.find(part);
    REQUIRE(at != std::string::npos);
    CHECK(at < html.find("id=\"flows\""));
  }
}

TEST_CASE("a refusal of long ago is remembered, but not what is wrong now") {
  Dashboard page = page_of({});
  page.refusals.flows = {refusal(page, "not allowed")};
  page.refusals.flows.front().at -= std::chrono::hours(2);
  const std::string html = dashboard_page(page);
  CHECK(html.find("Nothing is wrong.") != std::string::npos);
  CHECK(html.find("not allowed") != std::string::npos);
}

TEST_CASE("nothing of a name, a reason or a question becomes markup") {
  model::Changes changes;
  changes.upserted_workloads = {workload(kHostile, kHostile)};
  Dashboard page = page_of(std::move(changes));
  page.node = kHostile;
  page.pods = {{"uid", kHostile, PodStatus::State::pending, kHostile}};
  page.refusal = kHostile;
  page.refusals.flows = {refusal(page, kHostile)};
  page.refusals.flows.front().facts.source.workload = workload(kHostile, kHostile);
  page.wanted = "script";
  CHECK(dashboard_page(page).find("<script") == std::string::npos);
  page.wanted = kHostile;
  CHECK(dashboard_page(page).find("<script") == std::string::npos);
  CHECK(html_escaped("a<b>&\"'\x02") == "a&lt;b&gt;&amp;&quot;&#39;\xEF\xBF\xBD");
  CHECK(url_escaped("a b&c=\"/%") == "a%20b%26c%3D%22%2F%25");
}

TEST_CASE("of ten thousand workloads one page shows a hundred, in order, and leads to the others") {
  model::Changes changes;
  for (int i = 0; i < 10'000; ++i)
    changes.upserted_workloads.push_back(workload("shop", fmt::format("pod-{:05}", i)));
  Dashboard page = page_of(std::move(changes));
  const std::string first = dashboard_page(page);
  CHECK(first.size() < 200'000);
  CHECK(count(first, "<td>pod-") == Dashboard::kRowsMax);
  CHECK(first.find("1 to 100 of 10000") != std::string::npos);
  CHECK(first.find("pod-00099") != std::string::npos);
  CHECK(first.find("pod-00100") == std::string::npos);
  CHECK(first.find("workloads=1&amp;services=0#workloads") != std::string::npos);

  page.workloads_page = 1;
  CHECK(dashboard_page(page).find("pod-00100") != std::string::npos);
  page.workloads_page = 1'000'000;  // past the end is the last page
  CHECK(dashboard_page(page).find("9901 to 10000 of 10000") != std::string::npos);

  page.workloads_page = 0;
  page.wanted = "pod-0999";
  const std::string filtered = dashboard_page(page);
  CHECK(count(filtered, "<td>pod-") == 10);
  CHECK(filtered.find("1 to 10 of 10 that fit the filter, 10000 in all") != std::string::npos);
}

}  // namespace aquifer::ztunnel
