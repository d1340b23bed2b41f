#include "waypoint/filters/cors.h"

#include <algorithm>
#include <string>

namespace aquifer::waypoint {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out.append(",");
    out.append(word);
  }
  return out;
}

bool is_any(const std::vector<std::string>& words) {
  return words.size() == 1 && words.front() == "*";
}

bool allows(const l7::Cors& cors, std::string_view origin) {
  return std::ranges::any_of(
      cors.origins, [&](const l7::TextPattern& pattern) { return pattern.matches(origin); });
}

// "*" and credentials exclude each other: then what was asked for is repeated.
std::string allowed(const std::vector<std::string>& words, bool credentials,
                    std::optional<std::string_view> asked) {
  if (is_any(words) && credentials) return std::string(asked.value_or(""));
  return joined(words);
}

void add_origin(HeaderFields& fields, const l7::Cors& cors, std::string_view origin) {
  fields.add("access-control-allow-origin", origin);
  fields.add("vary", "Origin");
  if (cors.credentials) fields.add("access-control-allow-credentials", "true");
}

}  // namespace

std::optional<LocalReply> apply_cors(FilterContext& context, const l7::Cors& cors) {
  const HeaderFields& fields = context.request.fields;
  const auto origin = fields.find("origin");
  if (!origin || origin->empty()) return std::nullopt;
  const auto method = fields.find("access-control-request-method");
  const bool preflight = context.request.method == "OPTIONS" && method && !method->empty();
  if (!allows(cors, *origin)) {
    if (!preflight || cors.forward_unmatched_preflights) return std::nullopt;
    LocalReply reply;
    reply.status = 200;
    reply.details = "cors_preflight_origin_not_allowed";
    return reply;
  }
  if (!preflight) {
    add_origin(context.answer_fields, cors, *origin);
    if (!cors.exposed.empty())
      context.answer_fields.add("access-control-expose-headers", joined(cors.exposed));
    return std::nullopt;
  }
  LocalReply reply;
  reply.status = 200;
  reply.details = "cors_preflight";
  add_origin(reply.fields, cors, *origin);
  if (!cors.methods.empty()) {
    reply.fields.add("access-control-allow-methods",
                     allowed(cors.methods, cors.credentials, method));
  }
  if (!cors.headers.empty()) {
    reply.fields.add(
        "access-control-allow-headers",
        allowed(cors.headers, cors.credentials, fields.find("access-control-request-headers")));
  }
  if (cors.max_age)
    reply.fields.add("access-control-max-age", std::to_string(cors.max_age->count()));
  return reply;
}

}  // namespace aquifer::waypoint
