// Bytes as one manifest file: reading and assembling them ends with a mesh or with diagnostics,
// never otherwise.
#include "common/base/assert.h"
#include "config/manifests/assemble.h"
#include "config/manifests/read_objects.h"
#include "config/model/store.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace aquifer;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const manifests::FileObjects objects = manifests::read_text("fuzz.yaml", text);
  const std::vector<const manifests::FileObjects*> files{&objects};
  manifests::Report report;
  std::vector<manifests::Finding> findings;
  const model::FullState state = manifests::assemble(files, {}, report, &findings);
  const bool broken = report.has_errors();
  std::vector<manifests::Finding*> pointers;
  for (manifests::Finding& finding : findings) pointers.push_back(&finding);
  manifests::locate(pointers, text);
  for (manifests::Finding& finding : findings) report.add(std::move(finding.diagnostic));
  const auto diagnostics = manifests::with_left_out(report.take());
  for (const auto& diagnostic : diagnostics) {
    // One line each, whatever the bytes were.
    AQUIFER_ASSERT(!manifests::render(diagnostic).contains('\n'));
  }
  if (broken) return 0;
  model::Store store;
  const auto update = store.replace(state);
  // Every workload is found again, and the same state once more is no change.
  for (const auto& workload : state.workloads) {
    AQUIFER_ASSERT(update.after->workload_by_uid(workload->uid) != nullptr);
  }
  AQUIFER_ASSERT(model::changes_between(*update.after, state).empty());
  return 0;
}
