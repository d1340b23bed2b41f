// ReferenceGrant -> ReferenceGrantObject. A mesh's routes need none (GEP-1426); `check` says where
// a gateway at the edge would.
#include "config/manifests/read_objects.h"
#include "config/manifests/route_values.h"

#include <utility>

namespace aquifer::manifests {

void read_reference_grant(Fields& fields, Metadata meta, FileObjects& out) {
  ReferenceGrantObject grant;
  grant.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write from and to there");
  spec.each("from", [&](Fields& item) {
    ReferenceGrantObject::From from;
    from.group = item.text_or("group", "");
    from.kind = item.text_or("kind", "");
    from.ns = item.text_or("namespace", "");
    item.finish();
    if (grant.from.size() < kItemsMax) grant.from.push_back(std::move(from));
  });
  spec.each("to", [&](Fields& item) {
    ReferenceGrantObject::To to;
    to.group = item.text_or("group", "");
    to.kind = item.text_or("kind", "");
    to.name = item.text_or("name", "");
    item.finish();
    if (grant.to.size() < kItemsMax) grant.to.push_back(std::move(to));
  });
  spec.finish();
  fields.finish();
  out.reference_grants.push_back(std::move(grant));
}

}  // namespace aquifer::manifests
