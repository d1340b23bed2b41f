#include "ztunnel/same_node/local_stream.h"

#include <utility>

namespace aquifer::ztunnel {

LocalStream::LocalStream(Parts parts, Fd application)
    : parts_(std::move(parts)), application_(parts_.loop, std::move(application)) {
  parts_.reports.add(*this);
  parts_.proofs.rely(parts_.path, *this);
  parts_.handover->watch(this);
}

LocalStream::~LocalStream() {
  parts_.handover->watch(nullptr);
  parts_.proofs.forget(parts_.path, *this);
  parts_.reports.remove(*this);
  parts_.handover->finish(bytes());
}

LocalBytes LocalStream::bytes() const noexcept {
  return {parts_.record.bytes_from_client(), parts_.record.bytes_to_client()};
}

void LocalStream::report_bytes() {
  const LocalBytes now = bytes();
  if (now.from_client + now.to_client == reported_) return;
  reported_ = now.from_client + now.to_client;
  parts_.handover->report(now);
}

}  // namespace aquifer::ztunnel
