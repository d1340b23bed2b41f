// Paths and the policies about them: a request's target on the first line, a pattern of a policy on
// each other. A path has one spelling, a template keeps its promises, and the indexed decision is
// that of looking at every rule.
#include "common/base/assert.h"
#include "config/model/l7/path.h"
#include "config/model/l7/security_trace.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace aquifer;

// More patterns than this find nothing that fewer do not.
constexpr std::size_t kPatternsMax = 32;

l7::Expression condition(std::string_view text) {
  if (auto shape = l7::PathTemplate::parse(text); shape && l7::PathTemplate::is_template(text)) {
    AQUIFER_ASSERT(shape->matches(shape->example()));
    return {l7::PathFits{std::move(*shape)}};
  }
  l7::TextPattern pattern = l7::TextPattern::exact(std::string(text));
  if (text.starts_with('*')) {
    pattern.kind = l7::TextPattern::Kind::suffix;
    pattern.text.erase(0, 1);
  } else if (text.ends_with('*')) {
    pattern.kind = l7::TextPattern::Kind::prefix;
    pattern.text.pop_back();
  }
  return {l7::PathIs{std::move(pattern)}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> lines;
  while (!rest.empty() && lines.size() <= kPatternsMax) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (lines.empty()) return 0;
  const auto path = l7::normalise_path(lines[0]);
  if (!path) return 0;
  AQUIFER_ASSERT(l7::normalise_path(*path).value() == *path);
  auto policy = std::make_shared<l7::RequestPolicy>();
  policy->ns = "ns";
  policy->name = "p";
  policy->targets = {{l7::SecurityTarget::Kind::mesh, {}}};
  for (std::size_t i = 1; i < lines.size(); ++i) {
    policy->requests.push_back({i - 1, {condition(lines[i])}, {{l7::Always{}}}});
  }
  const HeaderFields headers;
  const l7::RequestView view{.method = "GET",
                             .scheme = "http",
                             .authority = "shop",
                             .path = *path,
                             .headers = headers,
                             .source = {},
                             .destination = {}};
  const l7::SecurityQuestion question = l7::question_about(view);
  const l7::SecurityBook book({policy}, {});
  const l7::SecurityTrace trace = l7::trace_security(book, question);
  const auto first = std::ranges::find_if(
      policy->requests, [&](const l7::RequestRule& rule) { return l7::matches(rule, question); });
  const bool any = first != policy->requests.end();
  AQUIFER_ASSERT(any == trace.verdict.allowed());
  if (any) AQUIFER_ASSERT(trace.verdict.rule == first->number);
  for (const l7::RequestRule& rule : policy->requests) {
    const auto* fits = std::get_if<l7::PathFits>(&rule.permissions[0].node);
    if (fits == nullptr || !l7::matches(rule, question)) continue;
    AQUIFER_ASSERT(view.path_only().starts_with(fits->shape.prefix()));
  }
  return 0;
}
