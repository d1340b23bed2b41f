// A session as values and back. What is not here is made new: flood budgets start full, coders have
// no state.
#include "common/base/assert.h"
#include "common/hbone/session.h"

namespace aquifer::hbone {

Result<SessionState> Session::export_state() const {
  AQUIFER_ASSERT(!receiving_);
  if (failed_) return fail(Errc::closed, "tunnel is closed");
  if (!decoder_.exportable()) return fail(Errc::limit, "header compression has state");
  SessionState state;
  state.role = config_.role;
  state.peer = peer_;
  state.send_window = send_.size();
  state.receive_open = receive_.open();
  state.receive_target = receive_.target();
  state.last_peer_id = last_peer_id_;
  state.next_local_id = next_local_id_;
  state.goaway_sent_id = goaway_sent_id_;
  state.goaway_received_id = goaway_received_id_;
  state.peer_settings_seen = peer_settings_seen_;
  state.local_settings_acked = local_settings_acked_;
  state.goaway_sent = goaway_sent_;
  state.goaway_received = goaway_received_;
  state.table_update_due = table_update_due_;
  state.table_update_expected = decoder_.update_expected();
  state.closed = closed_;

  ParserState& parser = state.parser;
  parser.stage = static_cast<std::uint8_t>(stage_);
  parser.preface_size = preface_size_;
  parser.partial = as_text(ByteView(partial_).first(partial_size_));
  parser.frame = frame_;
  parser.left = left_;
  parser.padding = padding_;
  parser.data_wanted = data_stream_ != nullptr;
  parser.pending = pending_;
  parser.header_block = header_block_;
  parser.header_stream = header_stream_;
  parser.continuations = continuations_;
  parser.header_ends_stream = header_ends_stream_;
  parser.header_self_dependent = header_self_dependent_;

  state.streams.reserve(streams_.size());
  for (const auto& entry : streams_) {
    const Stream& stream = *entry.stream;
    state.streams.push_back({.send_window = stream.send_.size(),
                             .receive_open = stream.receive_.open(),
                             .content_left = stream.content_left_,
                             .receive_target = stream.receive_.target(),
                             .undrained = stream.receive_.undrained(),
                             .id = stream.id(),
                             .local_ended = stream.local_ended_,
                             .remote_ended = stream.remote_ended_,
                             .reset = stream.reset_,
                             .answered = stream.answered_,
                             .internal = stream.internal_});
  }
  return state;
}

Session::Session(const SessionConfig& config, io::ChunkQueue& out, SessionEvents& events,
                 const SessionState& state)
    : Session(config, out, events) {
  AQUIFER_ASSERT(config.role == state.role);
  decoder_ = HeaderDecoder::restore(config.local.header_table_size, state.local_settings_acked,
                                    state.table_update_expected);
  peer_ = state.peer;
  send_ = SendWindow(state.send_window);
  last_peer_id_ = state.last_peer_id;
  next_local_id_ = state.next_local_id;
  goaway_sent_id_ = state.goaway_sent_id;
  goaway_received_id_ = state.goaway_received_id;
  peer_settings_seen_ = state.peer_settings_seen;
  local_settings_acked_ = state.local_settings_acked;
  goaway_sent_ = state.goaway_sent;
  goaway_received_ = state.goaway_received;
  table_update_due_ = state.table_update_due;
  closed_ = state.closed;

  std::uint32_t undrained = 0;
  for (const StreamState& from : state.streams) {
    Stream& stream = add_stream(from.id);
    stream.send_ = SendWindow(from.send_window);
    stream.receive_.restore(from.receive_open, from.receive_target, from.undrained);
    stream.content_left_ = from.content_left;
    stream.local_ended_ = from.local_ended;
    stream.remote_ended_ = from.remote_ended;
    stream.reset_ = from.reset;
    stream.answered_ = from.answered;
    stream.internal_ = from.internal;
    if (stream.closed()) --open_streams_;
    undrained += from.undrained;
  }
  receive_.restore(state.receive_open, state.receive_target, undrained);

  const ParserState& parser = state.parser;
  AQUIFER_ASSERT(parser.stage <= static_cast<std::uint8_t>(Stage::skip) &&
                 parser.partial.size() < kFrameHeaderBytes);
  stage_ = static_cast<Stage>(parser.stage);
  preface_size_ = parser.preface_size;
  partial_size_ = static_cast<std::uint8_t>(
      parser.partial.copy(reinterpret_cast<char*>(partial_.data()), kFrameHeaderBytes));
  frame_ = parser.frame;
  left_ = parser.left;
  padding_ = parser.padding;
  data_stream_ = parser.data_wanted ? streams_.find(parser.frame.stream_id) : nullptr;
  pending_ = parser.pending;
  header_block_ = parser.header_block;
  header_stream_ = parser.header_stream;
  continuations_ = parser.continuations;
  header_ends_stream_ = parser.header_ends_stream;
  header_self_dependent_ = parser.header_self_dependent;
}

}  // namespace aquifer::hbone
