// The parts that routes of several kinds are made of: parents, backends, filters. Each reader
// reports what is wrong where it stands.
#pragma once

#include "config/manifests/fields.h"
#include "config/manifests/route_objects.h"

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::manifests {

/// spec.parentRefs; `ns` is the route's own.
[[nodiscard]] std::vector<ParentObject> read_parents(Fields& spec, std::string_view ns);
/// spec.hostnames
[[nodiscard]] std::vector<std::string> read_hostnames(Fields& spec);
/// A BackendObjectReference; the caller reads what is around it and finishes `fields`.
[[nodiscard]] BackendObject read_backend(Fields& fields, std::string_view ns);
/// An entry of backendRefs, whole.
enum class BackendFilters : bool { none, http };
[[nodiscard]] BackendObject read_backend_ref(Fields& fields, std::string_view ns,
                                             BackendFilters filters);
/// {set, add, remove} of a Gateway API filter, whole.
[[nodiscard]] l7::HeaderChanges read_header_modifier(Fields& fields);
/// The filters of a rule, into `rule`.
void read_filters(Fields& rule_fields, std::string_view ns, RouteRuleObject& rule);
/// A header match {type, name, value}, whole; RegularExpression and Exact.
void read_header_matches(Fields& match, l7::RouteMatch& out);
/// sessionPersistence
void read_session_persistence(Fields& rule_fields, l7::Route& route);
/// The action of a rule that cannot do what it says: every request is answered 500.
void answer_500(RouteRuleObject& rule);

}  // namespace aquifer::manifests
