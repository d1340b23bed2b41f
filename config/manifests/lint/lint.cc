#include "config/manifests/lint/lint.h"

#include "config/manifests/read_objects.h"

#include <utility>

namespace aquifer::manifests {

void Findings::error(std::string_view kind, const Metadata& meta, const Place& place,
                     std::string text) {
  add(Severity::error, kind, meta, place, std::move(text));
}

void Findings::warn(std::string_view kind, const Metadata& meta, const Place& place,
                    std::string text) {
  add(Severity::warning, kind, meta, place, std::move(text));
}

void Findings::add(Severity severity, std::string_view kind, const Metadata& meta,
                   const Place& place, std::string text) {
  const Origin& origin = meta.origin;
  report_.add({.severity = severity,
               .file = origin.file != nullptr ? *origin.file : "",
               .line = place.line != 0 ? place.line : origin.line,
               .object = object_name(kind, meta),
               .field = place.field,
               .text = std::move(text)});
}

void lint(const Assembly& assembly, Report& report) {
  Findings findings(report);
  lint_labels(assembly, findings);
  lint_pods(assembly, findings);
  lint_services(assembly, findings);
  lint_waypoints(assembly, findings);
}

}  // namespace aquifer::manifests
