#include "ztunnel/dashboard.h"

#include "ztunnel/dashboard_style.h"
#include "ztunnel/dashboard_tables.h"
#include "ztunnel/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace aquifer::ztunnel {
namespace {

// Of what is wrong: past this a person reads the log.
constexpr std::size_t kWrongMax = 30;
// A refusal of yesterday is not what is wrong now.
constexpr auto kRecent = std::chrono::minutes(15);
// A certificate is renewed at half its life; one that is down to this share of it was not.
constexpr int kLifeLeftMinimumPercent = 25;

struct Wrong {
  std::string html;
  std::size_t count = 0;

  void add(const char* kind, std::string_view text) {
    if (++count <= kWrongMax)
      html += fmt::format("<li class=\"{}\">{}</li>\n", kind, html_escaped(text));
  }
};

void add_lines(Wrong& wrong, const char* kind, std::string_view before, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (!line.empty()) wrong.add(kind, fmt::format("{}{}", before, line));
  }
}

void add_certificates(Wrong& wrong, const Dashboard& page) {
  for (const ca::CertStatus& status : page.certificates) {
    if (!status.failure.empty()) {
      wrong.add("bad",
                fmt::format("Certificate of {}: {}", status.identity.to_string(), status.failure));
    }
    if (status.chain.empty()) continue;
    const auto& leaf = status.chain.front();
    const auto life = leaf.not_after() - leaf.not_before();
    const auto left = leaf.not_after() - page.now;
    if (left * 100 < life * kLifeLeftMinimumPercent) {
      wrong.add("warn", fmt::format("Certificate of {} {} and was not renewed",
                                    status.identity.to_string(), expiry_text(left)));
    }
  }
}

/// The same refusal many times is one line.
void add_refusals(Wrong& wrong, const Dashboard& page) {
  std::map<std::string, std::pair<std::size_t, const FlowEvent*>> seen;
  for (const FlowEvent& event : page.refusals.flows) {
    if (page.now - event.at > kRecent) continue;
    auto& [count, last] = seen[pod_of(event.facts) + "\n" + peer_text(event) + "\n" + event.reason];
    ++count;
    last = &event;
  }
  for (const auto& [key, what] : seen) {
    const auto& [count, event] = what;
    const bool outbound = event->facts.direction == telemetry::Direction::outbound;
    std::string text = fmt::format(
        "Refused {}: {} {} {}: {}", count == 1 ? "once" : fmt::format("{} times", count),
        pod_of(event->facts), outbound ? "to" : "from", peer_text(*event), event->reason);
    if (!event->policy.empty()) text += fmt::format(" (policy {})", event->policy);
    if (!event->detail.empty()) text += fmt::format("; {}", event->detail);
    wrong.add("warn", text);
  }
}

std::string wrong_section(const Dashboard& page) {
  Wrong wrong;
  for (const PodStatus& pod : page.pods) {
    if (pod.state == PodStatus::State::pending)
      wrong.add("bad", fmt::format("Pod {} is not captured: {}", pod.name, pod.why));
  }
  add_lines(wrong, "bad",
            "Changed files are refused, the last good ones stay in force: ", page.refusal);
  add_certificates(wrong, page);
  if (page.connections.silent_workers > 0) {
    wrong.add("bad", fmt::format("{} of the workers do not answer: connections are missing below",
                                 page.connections.silent_workers));
  }
  for (const manifests::Diagnostic& warning : page.warnings)
    wrong.add("warn", manifests::render(warning));
  add_refusals(wrong, page);
  std::string out = "<section id=\"wrong\"><h2>Wrong right now</h2>\n";
  if (wrong.count == 0) return out + "<p class=\"good\">Nothing is wrong.</p></section>\n";
  out += "<ul class=\"wrong\">\n" + wrong.html + "</ul>\n";
  if (wrong.count > kWrongMax)
    out += fmt::format("<p class=\"soft\">and {} more: see the log</p>\n", wrong.count - kWrongMax);
  return out + "</section>\n";
}

std::string card(const char* anchor, std::size_t count, const char* name) {
  return fmt::format("<a href=\"#{}\"><b>{}</b><span>{}</span></a>\n", anchor, count, name);
}

std::string cards(const Dashboard& page) {
  const auto captured = static_cast<std::size_t>(
      std::ranges::count(page.pods, PodStatus::State::up, &PodStatus::state));
  return "<div class=\"cards\">\n" + card("pods", captured, "captured pods") +
         card("flows", page.connections.flows.size() + page.connections.left_out,
              "live connections") +
         card("refusals", page.refusals.flows.size(), "remembered refusals") +
         card("workloads", page.mesh->workload_count(), "workloads") +
         card("services", page.mesh->service_count(), "services") +
         card("policies", policy_count(*page.mesh), "policies") +
         card("certificates", page.certificates.size(), "certificates") + "</div>\n";
}

}  // namespace

std::string dashboard_page(const Dashboard& page) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>ztunnel on {0}</title>\n<style>{1}</style></head>\n<body>\n"
      "<header><h1><b>Aquifer</b> ztunnel</h1><span>node {0}</span><span>{2}</span>"
      "<span>mesh version {3}</span>\n"
      "<form method=\"get\" action=\"/\"><input name=\"q\" value=\"{4}\" "
      "placeholder=\"namespace, name or address\" aria-label=\"filter\">"
      "<button>Filter</button></form></header>\n<main>\n",
      html_escaped(page.node), kDashboardStyle, html_escaped(page.version), page.mesh->version(),
      html_escaped(page.wanted));
  out += cards(page);
  out += wrong_section(page);
  out += flows_section(page);
  out += refusals_section(page);
  out += pods_section(page);
  out += workloads_section(page);
  out += services_section(page);
  out += policies_section(page);
  out += certificates_section(page);
  out += fmt::format(
      "</main>\n<footer>{} &middot; as data: <a href=\"/config_dump\">/config_dump</a>, <a "
      "href=\"/flows\">/flows</a>, <a href=\"/refusals\">/refusals</a>; POST /logging, POST "
      "/quitquitquit</footer>\n</body></html>\n",
      html_escaped(rfc3339(page.now)));
  return out;
}

}  // namespace aquifer::ztunnel
