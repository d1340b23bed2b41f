#include "ztunnel/same_node/byte_reports.h"

namespace aquifer::ztunnel {
namespace {

// Well below the interval of any scrape. A look at ten thousand idle connections takes 0.1 ms.
constexpr auto kInterval = std::chrono::seconds(1);

}  // namespace

void ByteReports::add(ByteReporter& reporter) {
  reporters_.insert(&reporter);
  if (!armed()) arm(loop_.timers(), loop_.after(kInterval));
}

void ByteReports::on_due(Timer& timer) noexcept {
  auto& self = static_cast<ByteReports&>(timer);
  for (ByteReporter* reporter : self.reporters_) reporter->report_bytes();
  if (!self.reporters_.empty()) self.arm(self.loop_.timers(), self.loop_.after(kInterval));
}

}  // namespace aquifer::ztunnel
