// Turns: receives of bulk that wait for one another while a loop shows courtesy (courtesy.h). Of
// those that wait one is served in each round, the longest waiting first, so that no round is long
// because many of them have bytes. Of one backend, on the loop's thread.
#pragma once

#include "common/io/backend.h"

#include <cstddef>
#include <vector>

namespace aquifer::io {

class Turns {
 public:
  void show_courtesy(bool due) noexcept { due_ = due; }

  /// Must this operation wait for its turn? What its channel received last says whether it is bulk.
  [[nodiscard]] bool apply_to(const Operation& operation) const noexcept {
    const bool is_bulk = operation.kind() == OperationKind::recv && operation.channel().hot;
    return due_ && is_bulk && (taken_ || !waiting_.empty());
  }
  /// Bulk is received: that was this round's turn.
  void note_taken(const Channel& channel) noexcept { taken_ = taken_ || channel.hot; }

  /// A channel waits at most once, and until it is served or forgotten.
  void push(Channel& channel) {
    if (channel.waits_turn) return;
    channel.waits_turn = true;
    waiting_.push_back(&channel);
  }
  void forget(Channel& channel) noexcept {
    if (channel.waits_turn) std::erase(waiting_, &channel);
    channel.waits_turn = false;
  }
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

  /// `busy`: others are ready to run. A turn makes work for the next round, and work makes room for
  /// a turn: where both are there they alternate, which makes rounds half as long.
  void begin_round(bool busy) noexcept {
    skipped_ = due_ && busy && !skipped_;
    taken_ = skipped_;
  }
  /// Calls `serve` with each channel whose turn it is in this round: with one, or with all once no
  /// courtesy is due any more. It may push them again.
  template <typename Serve>
  void serve_round(Serve serve) {
    std::size_t left = due_ ? 1 : waiting_.size();
    if (taken_) left = 0;
    for (; left > 0 && !waiting_.empty(); --left) {
      Channel& channel = *waiting_.front();
      waiting_.erase(waiting_.begin());
      channel.waits_turn = false;
      serve(channel);
    }
  }

 private:
  bool due_ = false;
  bool taken_ = false;             // this round
  bool skipped_ = false;           // the last round, for the work of others
  std::vector<Channel*> waiting_;  // as many as there are bulk streams: tens
};

}  // namespace aquifer::io
