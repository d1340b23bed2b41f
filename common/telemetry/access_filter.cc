#include "common/telemetry/access_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <memory>
#include <mutex>
#include <random>
#include <utility>

namespace aquifer::telemetry {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool is_namespace(std::string_view name) noexcept {
  constexpr std::size_t kLabelMax = 63;  // RFC 1123, as Kubernetes wants it
  return !name.empty() && name.size() <= kLabelMax &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

// Never destroyed: connections may end until the very end.
struct State {
  std::mutex mutex;
  std::shared_ptr<const AccessFilter> filter = std::make_shared<const AccessFilter>();
  // 0: everything is taken, which needs no look.
  std::atomic<std::uint64_t> version = 0;
  std::uint64_t changes = 0;
};

State& state() noexcept {
  static State* instance = new State;
  return *instance;
}

/// Null: everything is taken. A reader keeps what it saw and looks again only when the version
/// moved, so that asking takes no lock.
const AccessFilter* filter_in_force() noexcept {
  thread_local std::uint64_t seen = 0;
  thread_local std::shared_ptr<const AccessFilter> cached;
  State& s = state();
  const std::uint64_t version = s.version.load(std::memory_order_acquire);
  if (version == 0) return nullptr;
  if (version != seen) {
    std::lock_guard lock(s.mutex);
    cached = s.filter;
    seen = version;
  }
  return cached.get();
}

}  // namespace

std::expected<AccessFilter::Rule, std::string> AccessFilter::parse_rule(std::string_view word) {
  if (word == "all") return Rule();
  if (word == "error") return Rule{.well_per_million = 0};
  if (word == "denied") return Rule{.well_per_million = 0, .failed = false};
  if (word == "none") return Rule{.well_per_million = 0, .failed = false, .denied = false};
  if (word.ends_with('%')) {
    const std::string_view number = word.substr(0, word.size() - 1);
    double percent = -1;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), percent,
                                              std::chars_format::fixed);
    const bool whole = error == std::errc() && end == number.data() + number.size();
    if (whole && percent >= 0 && percent <= 100)
      return Rule{.well_per_million = static_cast<std::uint32_t>(percent * 10'000 + 0.5)};
    return std::unexpected("a share is between 0% and 100%");
  }
  return std::unexpected("write all, error, denied, none or a share such as 1%");
}

std::expected<AccessFilter, std::string> AccessFilter::parse(std::string_view text) {
  AccessFilter filter;
  bool others_given = false;
  if (trimmed(text).empty()) return filter;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    const std::string_view clause = trimmed(text.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    const auto wrong = [clause](std::string_view why) {
      return std::unexpected(fmt::format("clause \"{}\": {}", clause, why));
    };
    if (clause.empty()) return wrong("write NAMESPACE:WHAT, or *:WHAT for all others");
    const std::size_t colon = clause.find(':');
    const std::string_view ns =
        colon == std::string_view::npos ? "*" : trimmed(clause.substr(0, colon));
    const std::string_view word =
        colon == std::string_view::npos ? clause : trimmed(clause.substr(colon + 1));
    const auto rule = parse_rule(word);
    if (!rule) return wrong(rule.error());
    if (ns == "*") {
      if (std::exchange(others_given, true)) return wrong("there is another for all namespaces");
      filter.others_ = *rule;
      continue;
    }
    if (!is_namespace(ns)) return wrong("a namespace has lower-case letters, digits and dashes");
    const auto at = std::ranges::lower_bound(filter.rules_, ns, {}, &Clause::ns);
    if (at != filter.rules_.end() && at->ns == ns)
      return wrong("there is another for this namespace");
    if (filter.rules_.size() == kClausesMax)
      return wrong(fmt::format("more than {} clauses", kClausesMax));
    filter.rules_.insert(at, Clause{std::string(ns), *rule});
  }
  return filter;
}

const AccessFilter::Rule& AccessFilter::rule_for(std::string_view ns) const noexcept {
  const auto at = std::ranges::lower_bound(rules_, ns, {}, &Clause::ns);
  return at != rules_.end() && at->ns == ns ? at->rule : others_;
}

bool AccessFilter::takes(std::string_view ns, Outcome outcome, std::uint32_t draw) const noexcept {
  const Rule& rule = rule_for(ns);
  switch (outcome) {
    case Outcome::denied: return rule.denied;
    case Outcome::failed: return rule.failed;
    case Outcome::well: return draw % kWhole < rule.well_per_million;
  }
  return true;
}

bool AccessFilter::takes_openings(std::string_view ns) const noexcept {
  return rule_for(ns) == Rule();
}

std::string AccessFilter::text_of(const Rule& rule) {
  if (rule == Rule()) return "all";
  if (!rule.denied) return "none";
  if (!rule.failed) return "denied";
  if (rule.well_per_million == 0) return "error";
  return fmt::format("{}%", static_cast<double>(rule.well_per_million) / 10'000);
}

std::string AccessFilter::to_string() const {
  std::string out;
  for (const Clause& clause : rules_) out += clause.ns + ":" + text_of(clause.rule) + ",";
  return out + "*:" + text_of(others_);
}

AccessFilter access_filter() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return *s.filter;
}

void set_access_filter(AccessFilter filter) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  const bool all = filter.takes_all();
  s.filter = std::make_shared<const AccessFilter>(std::move(filter));
  s.version.store(all ? 0 : ++s.changes, std::memory_order_release);
}

bool access_log_takes(std::string_view ns, Outcome outcome) noexcept {
  const AccessFilter* filter = filter_in_force();
  if (filter == nullptr) return true;
  thread_local std::minstd_rand random{std::random_device()()};
  // Denials and failures are never drawn for.
  const std::uint32_t draw = outcome == Outcome::well ? static_cast<std::uint32_t>(random()) : 0;
  return filter->takes(ns, outcome, draw);
}

bool access_log_takes_opening(std::string_view ns) noexcept {
  const AccessFilter* filter = filter_in_force();
  return filter == nullptr || filter->takes_openings(ns);
}

}  // namespace aquifer::telemetry
