#include "config/model/l7/security_miss.h"

#include "config/model/l7/security_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace aquifer::l7 {
namespace {

// Rules that are tried, nearest first, and changed requests tried for one of them.
constexpr std::size_t kRulesTriedMax = 16;
constexpr std::size_t kTrialsOfRuleMax = 64;
// Values of one list that are tried.
constexpr std::size_t kValuesMax = 4;

// A question that owns what it says, so that it can be changed.
struct Draft {
  explicit Draft(const SecurityQuestion& from)
      : question(from), is_request(from.request != nullptr), server_name(from.server_name) {
    if (from.identity != nullptr) identity = *from.identity;
    if (from.claims != nullptr) claims = *from.claims;
    if (!is_request) return;
    method = from.request->method;
    scheme = from.request->scheme;
    authority = from.request->authority;
    path = from.request->path;
    headers = from.request->headers;
  }

  [[nodiscard]] bool passes(const SecurityBook& book) const {
    const RequestView view{.method = method,
                           .scheme = scheme,
                           .authority = authority,
                           .path = path,
                           .headers = headers,
                           .source = question.source,
                           .destination = question.destination,
                           .identity = identity ? &*identity : nullptr};
    SecurityQuestion changed = question;
    changed.request = is_request ? &view : nullptr;
    changed.identity = view.identity;
    changed.server_name = server_name;
    changed.claims = claims ? &*claims : nullptr;
    return authorize(book, changed).allowed();
  }

  SecurityQuestion question;
  bool is_request;
  std::string server_name;
  std::optional<SpiffeId> identity;
  std::optional<Claim> claims;
  std::string method;
  std::string scheme;
  std::string authority;
  std::string path;
  HeaderFields headers;
};

std::string some_text(const TextPattern& pattern, std::string_view filler) {
  switch (pattern.kind) {
    case TextPattern::Kind::any: return std::string(filler);
    case TextPattern::Kind::suffix: return std::string(filler) + pattern.text;
    case TextPattern::Kind::exact:
    case TextPattern::Kind::prefix:
    case TextPattern::Kind::contains: return pattern.text;
    case TextPattern::Kind::regex: break;
  }
  return std::string(filler);
}

void set_claim(Draft& draft, std::span<const std::string> path, std::string text) {
  if (!draft.claims) draft.claims = Claim{Claim::Kind::object, {}, {}, {}};
  Claim* at = &*draft.claims;
  for (const std::string& step : path) {
    at->kind = Claim::Kind::object;
    auto known = std::ranges::find(at->parts, step, &Claim::name);
    if (known == at->parts.end()) {
      at->parts.push_back(Claim{Claim::Kind::object, step, {}, {}});
      known = at->parts.end() - 1;
    }
    at = &*known;
  }
  at->kind = Claim::Kind::text;
  at->text = std::move(text);
  at->parts.clear();
}

// Changes a draft to what a condition asks for. Values need not exist: they stand for all that it
// describes.
struct Fulfil {
  Draft& draft;

  void operator()(const HeaderIs& want) const {
    if (want.name == ":method") {
      draft.method = some_text(want.text, "GET");
    } else if (want.name == ":authority") {
      draft.authority = some_text(want.text, "x");
    } else {
      draft.headers.set(want.name, some_text(want.text, "x"));
    }
  }
  void operator()(const PathIs& want) const { draft.path = some_text(want.text, "/x"); }
  void operator()(const PathFits& want) const { draft.path = want.shape.example(); }
  void operator()(const PortIs& want) const { draft.question.destination.port = want.port; }
  void operator()(const DestinationIn& want) const {
    draft.question.destination.ip = want.network.address();
  }
  void operator()(const SourceIn& want) const { draft.question.source.ip = want.network.address(); }
  void operator()(const RemoteIn& want) const { draft.question.remote = want.network.address(); }
  void operator()(const ServerNameIs& want) const { draft.server_name = some_text(want.text, "x"); }
  void operator()(const PrincipalIs& want) const {
    // A text may be cut anywhere: one of these ends, or of these starts, makes it whole.
    for (const char* end : {"", "x", "/sa/x", "sa/x", "a/x", "ns/x/sa/x", "/ns/x/sa/x"}) {
      if (take(SpiffeId::parse("spiffe://" + want.text.text + end))) return;
    }
    for (const char* start : {"x", "cluster.local", "cluster.local/ns/", "cluster.local/ns/x",
                              "cluster.local/ns/x/sa/", "cluster.local/ns/x/sa/x"}) {
      if (take(SpiffeId::parse("spiffe://" + (start + want.text.text)))) return;
    }
  }
  void operator()(const NamespaceIs& want) const {
    take(SpiffeId::make("cluster.local", some_text(want.text, "x"), "x"));
  }
  void operator()(const AccountIs& want) const {
    take(SpiffeId::make("cluster.local", want.ns, want.name));
  }
  void operator()(const ClaimIs& want) const {
    set_claim(draft, want.path, some_text(want.text, "x"));
  }
  void operator()(const auto&) const {}

  bool take(Result<SpiffeId> identity) const {
    if (identity) draft.identity = std::move(*identity);
    return identity.has_value();
  }
};

// Changes a draft to something that a condition does not describe.
struct Evade {
  Draft& draft;

  void operator()(const HeaderIs& want) const {
    if (want.name == ":method") {
      draft.method = draft.method == "GET" ? "POST" : "GET";
    } else if (want.name == ":authority") {
      draft.authority = "another.invalid";
    } else {
      draft.headers.remove(want.name);
    }
  }
  void operator()(const PathIs&) const { draft.path = "/another"; }
  void operator()(const PathFits&) const { draft.path = "/"; }
  void operator()(const PortIs&) const { draft.question.destination.port = 1; }
  // The documentation network of RFC 5737 stands for "somewhere else".
  void operator()(const DestinationIn&) const { draft.question.destination.ip = elsewhere(); }
  void operator()(const SourceIn&) const { draft.question.source.ip = elsewhere(); }
  void operator()(const RemoteIn&) const { draft.question.remote = elsewhere(); }
  void operator()(const ServerNameIs&) const { draft.server_name = "another.invalid"; }
  void operator()(const PrincipalIs&) const { somebody_else(); }
  void operator()(const NamespaceIs&) const { somebody_else(); }
  void operator()(const AccountIs&) const { somebody_else(); }
  void operator()(const ClaimIs& want) const { set_claim(draft, want.path, "another"); }
  void operator()(const auto&) const {}

  static IpAddress elsewhere() { return IpAddress::v4({203, 0, 113, 1}); }
  void somebody_else() const {
    if (auto other = SpiffeId::make("cluster.local", "another", "another")) {
      draft.identity = std::move(*other);
    }
  }
};

class Trier {
 public:
  Trier(const SecurityBook& book, const SecurityQuestion& question, std::size_t trials)
      : book_(book), question_(question), left_(trials) {}

  // Does some request that differs only in what the misses are about pass?
  [[nodiscard]] bool some_passes(std::span<const Miss> misses) {
    left_of_rule_ = kTrialsOfRuleMax;
    return try_rest(Draft(question_), misses);
  }

 private:
  [[nodiscard]] bool try_rest(const Draft& draft, std::span<const Miss> misses) {
    if (misses.empty()) {
      if (left_ == 0 || left_of_rule_ == 0) return false;
      --left_;
      --left_of_rule_;
      return draft.passes(book_);
    }
    const Miss& miss = misses.front();
    const auto conditions = alternatives(*miss.condition);
    const std::size_t count = std::min(conditions.size(), miss.negated ? 1 : kValuesMax);
    for (std::size_t i = 0; i < count; ++i) {
      Draft changed = draft;
      if (miss.negated) {
        std::visit(Evade{changed}, conditions[i]->node);
      } else {
        std::visit(Fulfil{changed}, conditions[i]->node);
      }
      if (try_rest(changed, misses.subspan(1))) return true;
    }
    return false;
  }

  const SecurityBook& book_;
  const SecurityQuestion& question_;
  std::size_t left_;
  std::size_t left_of_rule_ = 0;
};

std::string sentence(std::span<const Miss> misses) {
  std::vector<std::string> parts;
  for (const Miss& miss : misses) {
    std::string part = describe_wish(miss);
    if (std::ranges::find(parts, part) == parts.end()) parts.push_back(std::move(part));
  }
  return fmt::format("would pass if {}", fmt::join(parts, " and "));
}

std::string nearest_allow(const SecurityBook& book, const SecurityQuestion& question,
                          std::size_t rules_max, Trier& trier) {
  std::vector<std::pair<std::size_t, std::vector<Miss>>> nearest;
  std::size_t seen = 0;
  for (const TargetPolicies* target : book.targets_of(question.gateway, question.service)) {
    for (const RequestPolicyPtr& policy : target->policies()) {
      if (policy->action != RequestAction::allow || policy->dry_run()) continue;
      for (const RequestRule& rule :
           question.request != nullptr ? policy->requests : policy->connections) {
        if (++seen > rules_max) break;
        auto missing = misses(rule, question);
        if (missing && !missing->empty()) nearest.emplace_back(seen, std::move(*missing));
      }
    }
  }
  std::ranges::sort(nearest, {},
                    [](const auto& rule) { return std::pair(rule.second.size(), rule.first); });
  if (nearest.size() > kRulesTriedMax) nearest.resize(kRulesTriedMax);
  for (const auto& [number, missing] : nearest) {
    if (trier.some_passes(missing)) return sentence(missing);
  }
  return {};
}

// Each condition that made a rule match, turned round.
void collect_ways_out(const Expression& expression, const SecurityQuestion& question,
                      std::vector<Miss>& out) {
  if (std::holds_alternative<NoneOf>(expression.node)) return;
  if (!alternatives(expression).empty()) {
    if (holds(expression, question)) out.push_back({&expression, true});
    return;
  }
  if (const auto* all = std::get_if<AllOf>(&expression.node)) {
    for (const Expression& part : all->parts) collect_ways_out(part, question, out);
  } else if (const auto* any = std::get_if<AnyOf>(&expression.node)) {
    for (const Expression& part : any->parts) collect_ways_out(part, question, out);
  }
}

}  // namespace

std::string nearest_miss(const SecurityBook& book, const SecurityQuestion& question,
                         const SecurityVerdict& verdict, const MissEffort& effort) {
  if (verdict.allowed()) return {};
  Trier trier(book, question, effort.trials);
  if (verdict.policy != nullptr) {
    const auto& rules =
        question.request != nullptr ? verdict.policy->requests : verdict.policy->connections;
    const auto rule = std::ranges::find(rules, verdict.rule, &RequestRule::number);
    std::vector<Miss> ways;
    if (rule != rules.end()) {
      for (const auto* list : {&rule->permissions, &rule->principals}) {
        for (const Expression& one : *list) collect_ways_out(one, question, ways);
      }
    }
    for (const Miss& way : ways) {
      if (trier.some_passes({&way, 1})) return sentence({&way, 1});
    }
  }
  return nearest_allow(book, question, effort.rules, trier);
}

}  // namespace aquifer::l7
