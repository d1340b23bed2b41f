#include "ztunnel/dashboard_tables.h"

#include "config/model/labels.h"
#include "ztunnel/html.h"
#include "ztunnel/policy_dump.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace aquifer::ztunnel {
namespace {

using std::chrono::duration_cast;

std::string duration_text(std::chrono::system_clock::duration amount) {
  const auto seconds = duration_cast<std::chrono::seconds>(amount).count();
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7'200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172'800) return fmt::format("{} h", seconds / 3'600);
  return fmt::format("{} d", seconds / 86'400);
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'240) return fmt::format("{} B", bytes);
  if (bytes < (10U << 20)) return fmt::format("{} KiB", bytes >> 10);
  if (bytes < (std::uint64_t{10} << 30)) return fmt::format("{} MiB", bytes >> 20);
  return fmt::format("{} GiB", bytes >> 30);
}

std::string heading(const char* anchor, const char* title, std::string_view note) {
  return fmt::format("<section id=\"{}\"><h2>{}<small>{}</small></h2>\n", anchor, title,
                     html_escaped(note));
}

std::string tag(const char* kind, std::string_view text) {
  return fmt::format("<span class=\"tag {}\">{}</span>", kind, html_escaped(text));
}

bool contains(std::string_view text, std::string_view wanted) noexcept {
  return text.find(wanted) != std::string_view::npos;
}

std::string identity_text(const End& end) {
  return end.proven == nullptr ? "not proven" : end.proven->to_string();
}

bool wants(const Dashboard& page, const FlowEvent& event) {
  if (page.wanted.empty()) return true;
  return contains(pod_of(event.facts), page.wanted) || contains(peer_text(event), page.wanted) ||
         contains(event.facts.source_address.to_string(), page.wanted) ||
         contains(event.facts.destination_address.to_string(), page.wanted);
}

/// `/?q=...&NAME=PAGE#ANCHOR`, with the other table's page kept.
std::string page_link(const Dashboard& page, const char* anchor, std::size_t workloads,
                      std::size_t services, const char* text) {
  return fmt::format("<a href=\"/?q={}&amp;workloads={}&amp;services={}#{}\">{}</a>",
                     url_escaped(page.wanted), workloads, services, anchor, text);
}

/// Where in the whole list one page of it lies.
struct Window {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t page = 0;

  static Window of(std::size_t page, std::size_t total) {
    const std::size_t last = total == 0 ? 0 : (total - 1) / Dashboard::kRowsMax;
    Window window;
    window.page = std::min(page, last);
    window.begin = window.page * Dashboard::kRowsMax;
    window.end = std::min(window.begin + Dashboard::kRowsMax, total);
    return window;
  }
  [[nodiscard]] std::string note(std::size_t total, std::size_t all) const {
    if (total == 0) return all == 0 ? "none" : fmt::format("none of {} fits the filter", all);
    std::string text = fmt::format("{} to {} of {}", begin + 1, end, total);
    if (total != all) text += fmt::format(" that fit the filter, {} in all", all);
    return text;
  }
};

template <typename Link>
std::string navigation(const Window& window, std::size_t total, Link link) {
  std::string out;
  if (window.page > 0) out += link(window.page - 1, "&larr; previous");
  if (window.end < total) out += (out.empty() ? "" : " ") + link(window.page + 1, "next &rarr;");
  return out.empty() ? out : "<nav>" + out + "</nav>\n";
}

/// Only what is shown need be in order: a large mesh is not sorted whole for each reader.
template <typename T, typename Less>
void sort_window(std::vector<T>& items, const Window& window, Less less) {
  std::partial_sort(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(window.end),
                    items.end(), less);
}

}  // namespace

std::string expiry_text(std::chrono::system_clock::duration left) {
  return left.count() >= 0 ? "expires in " + duration_text(left)
                           : fmt::format("expired {} ago", duration_text(-left));
}

std::string peer_text(const FlowEvent& event) {
  const bool outbound = event.facts.direction == telemetry::Direction::outbound;
  const End& peer = outbound ? event.facts.destination : event.facts.source;
  if (peer.workload != nullptr) return peer.workload->ns + "/" + peer.workload->name;
  return (outbound ? event.facts.destination_address : event.facts.source_address).to_string();
}

std::string flows_section(const Dashboard& page) {
  std::vector<const FlowEvent*> rows;
  for (const FlowEvent& event : page.connections.flows) {
    if (wants(page, event)) rows.push_back(&event);
  }
  // Who looks here asks where the bytes go.
  const std::size_t shown = std::min(rows.size(), Dashboard::kRowsMax);
  std::ranges::partial_sort(
      rows, rows.begin() + static_cast<std::ptrdiff_t>(shown), std::greater<>(),
      [](const FlowEvent* event) { return event->bytes_sent + event->bytes_received; });
  const std::size_t all = page.connections.flows.size() + page.connections.left_out;
  std::string note = all == 0 ? "none" : fmt::format("{} of {}", shown, all);
  if (shown < all) note += ", those with the most bytes; the rest: ztunnel flows --pod NS/NAME";
  HtmlTable table{"Pod",
                  "",
                  "Peer",
                  "Service",
                  "Sent",
                  "Received",
                  "Age",
                  "Source identity",
                  "Destination identity"};
  for (std::size_t i = 0; i < shown; ++i) {
    const FlowEvent& event = *rows[i];
    const bool outbound = event.facts.direction == telemetry::Direction::outbound;
    table.cell(pod_of(event.facts)).cell(outbound ? "to" : "from").cell(peer_text(event));
    table.cell(event.facts.service == nullptr ? "" : event.facts.service->hostname);
    table.number(bytes_text(event.bytes_sent)).number(bytes_text(event.bytes_received));
    table.number(duration_text(duration_cast<std::chrono::system_clock::duration>(event.age)));
    table.cell(identity_text(event.facts.source)).cell(identity_text(event.facts.destination));
    table.end_row();
  }
  return heading("flows", "Live connections", note) + (shown > 0 ? table.take() : "") +
         "</section>\n";
}

std::string refusals_section(const Dashboard& page) {
  std::vector<const FlowEvent*> rows;
  for (const FlowEvent& event : page.refusals.flows) {
    if (wants(page, event)) rows.push_back(&event);
  }
  const std::size_t shown = std::min(rows.size(), Dashboard::kRowsMax);
  std::ranges::partial_sort(rows, rows.begin() + static_cast<std::ptrdiff_t>(shown),
                            std::greater<>(), &FlowEvent::at);
  HtmlTable table{"When", "Pod", "", "Peer", "Reason", "Policy", "Source identity"};
  for (std::size_t i = 0; i < shown; ++i) {
    const FlowEvent& event = *rows[i];
    const bool outbound = event.facts.direction == telemetry::Direction::outbound;
    table.cell(duration_text(page.now - event.at) + " ago").cell(pod_of(event.facts));
    table.cell(outbound ? "to" : "from").cell(peer_text(event));
    table.cell(event.detail.empty() ? event.reason : event.reason + "; " + event.detail);
    table.cell(event.policy).cell(identity_text(event.facts.source));
    table.end_row();
  }
  const std::string note =
      shown == 0 ? "none"
                 : fmt::format("{} of {}, newest first", shown, page.refusals.flows.size());
  return heading("refusals", "Refused connections", note) + (shown > 0 ? table.take() : "") +
         "</section>\n";
}

std::string pods_section(const Dashboard& page) {
  HtmlTable table{"Pod", "State", "Why"};
  std::size_t shown = 0;
  for (const PodStatus& pod : page.pods) {
    if (!page.wanted.empty() && !contains(pod.name, page.wanted)) continue;
    if (++shown > Dashboard::kRowsMax) continue;
    table.cell(pod.name);
    switch (pod.state) {
      case PodStatus::State::up: table.raw_cell(tag("good", "captured")); break;
      case PodStatus::State::pending: table.raw_cell(tag("bad", "not captured")); break;
      case PodStatus::State::releasing: table.raw_cell(tag("warn", "leaving")); break;
    }
    table.cell(pod.why).end_row();
  }
  const std::string note =
      fmt::format("{} of {}", std::min(shown, Dashboard::kRowsMax), page.pods.size());
  return heading("pods", "Pods of this node", page.pods.empty() ? "none" : note) +
         (shown > 0 ? table.take() : "") + "</section>\n";
}

std::string workloads_section(const Dashboard& page) {
  std::vector<model::WorkloadPtr> rows;
  page.mesh->for_each_workload([&](const model::WorkloadPtr& workload) {
    const bool fits = page.wanted.empty() || contains(workload->ns, page.wanted) ||
                      contains(workload->name, page.wanted) ||
                      std::ranges::any_of(workload->addresses, [&page](const IpAddress& address) {
                        return contains(address.to_string(), page.wanted);
                      });
    if (fits) rows.push_back(workload);
  });
  const Window window = Window::of(page.workloads_page, rows.size());
  sort_window(rows, window, [](const model::WorkloadPtr& a, const model::WorkloadPtr& b) {
    return std::tie(a->ns, a->name) < std::tie(b->ns, b->name);
  });
  HtmlTable table{"Namespace", "Name",   "Addresses", "Node",
                  "Protocol",  "Health", "Waypoint",  "Identity"};
  for (std::size_t i = window.begin; i < window.end; ++i) {
    const model::Workload& workload = *rows[i];
    std::string addresses;
    for (const IpAddress& address : workload.addresses)
      addresses += (addresses.empty() ? "" : ", ") + address.to_string();
    const bool healthy = workload.health == model::Health::healthy;
    table.cell(workload.ns).cell(workload.name).cell(addresses).cell(workload.node);
    table.cell(model::name_of(workload.protocol));
    table.raw_cell(healthy ? tag("good", "healthy") : tag("warn", "unhealthy"));
    table.cell(workload.waypoint ? workload.waypoint->name : "")
        .cell(workload.identity.empty() ? "" : workload.identity.to_string());
    table.end_row();
  }
  const auto link = [&page](std::size_t to, const char* text) {
    return page_link(page, "workloads", to, page.services_page, text);
  };
  return heading("workloads", "Workloads", window.note(rows.size(), page.mesh->workload_count())) +
         (rows.empty() ? "" : table.take()) + navigation(window, rows.size(), link) +
         "</section>\n";
}

std::string services_section(const Dashboard& page) {
  std::vector<model::ServiceRecordPtr> rows;
  page.mesh->for_each_service([&](const model::ServiceRecordPtr& record) {
    const model::Service& service = *record->service;
    const bool fits = page.wanted.empty() || contains(service.ns, page.wanted) ||
                      contains(service.hostname, page.wanted) ||
                      std::ranges::any_of(service.vips, [&page](const model::NetworkAddress& vip) {
                        return contains(vip.ip.to_string(), page.wanted);
                      });
    if (fits) rows.push_back(record);
  });
  const Window window = Window::of(page.services_page, rows.size());
  sort_window(rows, window, [](const model::ServiceRecordPtr& a, const model::ServiceRecordPtr& b) {
    return std::tie(a->service->ns, a->service->hostname) <
           std::tie(b->service->ns, b->service->hostname);
  });
  HtmlTable table{"Namespace", "Host name", "Addresses", "Ports", "Endpoints", "Waypoint"};
  for (std::size_t i = window.begin; i < window.end; ++i) {
    const model::Service& service = *rows[i]->service;
    const auto& endpoints = rows[i]->endpoints->endpoints;
    const auto healthy =
        std::ranges::count(endpoints, model::Health::healthy, &model::Endpoint::health);
    std::string vips;
    for (const model::NetworkAddress& vip : service.vips)
      vips += (vips.empty() ? "" : ", ") + vip.ip.to_string();
    std::string ports;
    for (const model::ServicePort& port : service.ports)
      ports += fmt::format("{}{}", ports.empty() ? "" : ", ", port.port);
    table.cell(service.ns).cell(service.hostname).cell(vips).cell(ports);
    table.raw_cell(tag(healthy > 0 ? "good" : "warn",
                       fmt::format("{} of {} healthy", healthy, endpoints.size())));
    std::string waypoints;
    for (const model::WaypointRef& waypoint : service.waypoints)
      waypoints += (waypoints.empty() ? "" : ", ") + waypoint.name;
    table.cell(waypoints).end_row();
  }
  const auto link = [&page](std::size_t to, const char* text) {
    return page_link(page, "services", page.workloads_page, to, text);
  };
  return heading("services", "Services", window.note(rows.size(), page.mesh->service_count())) +
         (rows.empty() ? "" : table.take()) + navigation(window, rows.size(), link) +
         "</section>\n";
}

std::size_t policy_count(const model::Snapshot& mesh) {
  const model::Books& books = mesh.books();
  return authorization_json(*books.authorization).size() + books.egress->policies().size() +
         books.network->policies().size();
}

std::string policies_section(const Dashboard& page) {
  HtmlTable table{"Kind", "Namespace", "Name", "Action", "Scope"};
  std::size_t all = 0;
  std::size_t fitting = 0;
  const auto add = [&](const char* kind, const nlohmann::json& policies, const char* action) {
    for (const nlohmann::json& policy : policies) {
      ++all;
      const std::string ns = policy.value("namespace", "");
      const std::string name = policy.value("name", "");
      if (!page.wanted.empty() && !contains(ns + "/" + name, page.wanted)) continue;
      if (++fitting > Dashboard::kRowsMax) continue;
      table.cell(kind).cell(ns).cell(name).cell(policy.value(action, ""));
      table.cell(policy.value("scope", "")).end_row();
    }
  };
  const model::Books& books = page.mesh->books();
  add("AuthorizationPolicy", authorization_json(*books.authorization), "action");
  add("EgressPolicy", egress_json(*books.egress), "default");
  add("NetworkPolicy", network_json(*books.network), "action");
  const std::size_t shown = std::min(fitting, Dashboard::kRowsMax);
  return heading("policies", "Policies", all == 0 ? "none" : fmt::format("{} of {}", shown, all)) +
         (shown > 0 ? table.take() : "") + "</section>\n";
}

std::string certificates_section(const Dashboard& page) {
  HtmlTable table{"Identity", "State", "Valid until", "", "Serial number"};
  std::size_t fitting = 0;
  for (const ca::CertStatus& status : page.certificates) {
    const std::string identity = status.identity.to_string();
    if (!page.wanted.empty() && !contains(identity, page.wanted)) continue;
    if (++fitting > Dashboard::kRowsMax) continue;
    table.cell(identity);
    switch (status.state) {
      case ca::CertStatus::State::available: table.raw_cell(tag("good", "available")); break;
      case ca::CertStatus::State::initializing: table.raw_cell(tag("warn", "on its way")); break;
      case ca::CertStatus::State::unavailable: table.raw_cell(tag("bad", "unavailable")); break;
    }
    if (status.chain.empty()) {
      table.cell("").cell(status.failure).cell("");
    } else {
      const auto& leaf = status.chain.front();
      table.cell(rfc3339(leaf.not_after())).cell(expiry_text(leaf.not_after() - page.now));
      table.cell(leaf.serial());
    }
    table.end_row();
  }
  const std::size_t shown = std::min(fitting, Dashboard::kRowsMax);
  return heading("certificates", "Certificates",
                 fmt::format("{} of {}", shown, page.certificates.size())) +
         (shown > 0 ? table.take() : "") + "</section>\n";
}

}  // namespace aquifer::ztunnel
