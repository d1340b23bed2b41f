// The half of nghttp2's callbacks that gives it what is to be sent.
#include "common/http2/events.h"
#include "common/http2/head_writer.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace aquifer::http2 {
namespace {

constexpr std::size_t kFrameHeadBytes = 9;

}  // namespace

// A head that cannot be sent must not leave its stream waiting.
int Events::not_sent(nghttp2_session* session, const nghttp2_frame* frame, int, void* user) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  if (Stream* stream = find(session, frame->hd.stream_id))
    of(user).reset(*stream, NGHTTP2_INTERNAL_ERROR);
  return 0;
}

const nghttp2_data_provider& Events::body() noexcept {
  static const nghttp2_data_provider provider = {.source = {.ptr = nullptr},
                                                 .read_callback = read_body};
  return provider;
}

ssize_t Events::read_body(nghttp2_session* session, std::int32_t id, std::uint8_t*,
                          std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
                          void* user) {
  Stream* stream = find(session, id);
  if (stream == nullptr || stream->failed) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const std::size_t size = std::min(room, stream->outbox.size());
  const bool end = stream->finished && size == stream->outbox.size();
  if (size == 0 && !end) {
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (!end) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!stream->last_fields.empty()) {
    HeadWriter writer;
    std::vector<nghttp2_nv> fields;
    for (const nghttp2_nv& field : writer.trailers(stream->last_fields)) fields.push_back(field);
    // They are framed behind this DATA, when `writer` is gone.
    for (nghttp2_nv& field : fields) field.flags = NGHTTP2_NV_FLAG_NONE;
    if (!fields.empty() && nghttp2_submit_trailer(session, id, fields.data(), fields.size()) == 0)
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  stream->end_passed = true;
  of(user).leave_half_open(*stream);
  return static_cast<ssize_t>(size);
}

int Events::send_body(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* head,
                      std::size_t size, nghttp2_data_source*, void* user) {
  Connection& connection = of(user);
  // While heads are pushed, this frame only has to make way for those behind it.
  const bool in_the_way =
      connection.pushing_heads_ && nghttp2_session_get_outbound_queue_size(session) > 0;
  if (connection.out_.size() >= Connection::kOutMark && !in_the_way) return NGHTTP2_ERR_WOULDBLOCK;
  Stream* stream = find(session, frame->hd.stream_id);
  // It failed since its bytes were announced.
  if (stream == nullptr || stream->outbox.size() < size)
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  // The end comes with the trailers: nothing needs to be said twice.
  if (size == 0 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  const MutableBytes room = connection.out_.extend(kFrameHeadBytes + size);
  std::memcpy(room.data(), head, kFrameHeadBytes);
  for (std::size_t done = 0; done < size;) {
    const ByteView front = stream->outbox.front();
    const std::size_t part = std::min(front.size(), size - done);
    std::memcpy(room.data() + kFrameHeadBytes + done, front.data(), part);
    stream->outbox.consume(part);
    done += part;
  }
  connection.floods_.earn(Flood::window_update, 2);
  connection.floods_.earn(Flood::ping, 1);
  if (stream->outbox.size() <= connection.options_.outbox_max / 2) stream->writable.notify();
  return 0;
}

}  // namespace aquifer::http2
