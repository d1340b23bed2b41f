// Fuzzes the tunnel's session in both roles: the peer's bytes, raw or as frames with right lengths,
// mixed with whatever an owner may do between and inside events, and hand-overs at any byte.
#include "common/base/assert.h"
#include "common/hbone/session.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace {

using namespace aquifer;
using namespace aquifer::hbone;

/// Takes the input apart; zeros when it is used up.
class Input {
 public:
  explicit Input(ByteView bytes) : rest_(bytes) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  ByteView bytes(std::size_t count) {
    const ByteView piece = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    return piece;
  }

 private:
  ByteView rest_;
};

class Owner final : public SessionEvents {
 public:
  Owner(Role role, Input& input) : input_(input) {
    config_ = role == Role::client ? SessionConfig::client() : SessionConfig::server();
    // Small numbers, so that limits are reached by small inputs.
    config_.local.max_concurrent_streams = 8;
    config_.stream_window_max = 1 << 18;
    config_.connection_window = 1 << 17;
    config_.connection_window_max = 1 << 19;
    config_.undrained_max = 1 << 19;
    session_ = std::make_unique<Session>(config_, out_, *this);
    session_->start();
  }

  void on_request(Stream& stream, ConnectRequest&& request) override {
    AQUIFER_ASSERT(!request.authority.empty() && stream.id() % 2 == 1);
    add(stream);
    inside_event(stream);
  }
  void on_response(Stream& stream, ConnectResponse&& response) override {
    AQUIFER_ASSERT(response.status >= 200 && response.status <= 999 && stream.answered());
    inside_event(stream);
  }
  std::size_t on_data(Stream& stream, ByteView payload) override {
    AQUIFER_ASSERT(!payload.empty() && !stream.closed() && !stream.remote_ended());
    return stream.id() % 4 == 1 ? payload.size() : 0;
  }
  void on_end_stream(Stream& stream) override {
    AQUIFER_ASSERT(stream.remote_ended());
    inside_event(stream);
  }
  void on_reset(Stream& stream, ErrorCode) override {
    AQUIFER_ASSERT(stream.closed());
    inside_event(stream);
  }
  void on_window(Stream&) override {}
  void on_connection_window() override {}
  void on_goaway(std::uint32_t, ErrorCode) override {}
  void on_ping_ack(std::uint64_t) override {}

  void feed(ByteView bytes) {
    // Its own allocation: a read beyond the end is then found.
    const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    const bool lives = session_->receive(copy, now_).has_value();
    AQUIFER_ASSERT(lives == (session_->error_code() == ErrorCode::no_error));
    check();
  }

  void act() {
    const std::uint8_t what = input_.byte();
    Stream* const stream = streams_.empty() ? nullptr : streams_[what / 16 % streams_.size()];
    now_ += std::chrono::milliseconds(what);
    switch (what % 16) {
      case 0:
        if (config_.role == Role::client) {
          if (auto opened = session_->open({.authority = "a:1"}, nullptr); opened) add(**opened);
        }
        break;
      case 1: session_->ping(what); break;
      case 2: session_->announce_shutdown(); break;
      case 3: session_->go_away(ErrorCode::no_error); break;
      case 4: hand_over(); break;
      default:
        if (stream != nullptr) act_on(*stream, what % 16);
    }
    check();
  }

 private:
  void add(Stream& stream) { streams_.push_back(&stream); }

  /// Streams of odd pairs are given up from inside the event that tells of them.
  void inside_event(Stream& stream) {
    if (stream.id() % 16 == 7)
      release(stream);
    else if (stream.id() % 16 == 9)
      session_->reset(stream, ErrorCode::cancel);
  }

  void release(Stream& stream) {
    std::erase(streams_, &stream);
    session_->release(stream);
  }

  void act_on(Stream& stream, std::uint8_t what) {
    const bool server = config_.role == Role::server;
    const bool may_send = !server || stream.answered();
    const std::vector<std::uint8_t> payload(std::size_t{input_.byte()} * 97, 'x');
    switch (what) {
      case 5:
        if (server && !stream.answered()) (void)session_->respond(stream, {});
        break;
      case 6:
        if (server && !stream.answered()) (void)session_->refuse(stream, 503);
        break;
      case 7: session_->drained(stream, stream.undrained(), now_); break;
      case 8: session_->drained(stream, stream.undrained() / 2, now_); break;
      case 9: session_->reset(stream, ErrorCode::enhance_your_calm); break;
      case 10: release(stream); break;
      case 11:
        if (may_send) session_->end(stream);
        break;
      case 12:
        if (may_send) (void)session_->write_data(stream, payload, EndStream::yes);
        break;
      case 13:
        if (may_send && payload.size() <= session_->send_window(stream)) {
          io::Buffer buffer = io::Buffer::copy_of(payload);
          if (session_->write_data_header(stream, buffer, EndStream::no))
            out_.append(std::move(buffer));
        }
        break;
      default:
        if (may_send) (void)session_->write_data(stream, payload, EndStream::no);
    }
  }

  void hand_over() {
    const auto state = session_->export_state();
    if (!state) return;
    session_ = std::make_unique<Session>(config_, out_, *this, *state);
    streams_.clear();
    session_->for_each_stream([this](Stream& stream) { add(stream); });
    AQUIFER_ASSERT(session_->export_state() == *state);
  }

  /// What holds at all times, whatever the peer sends.
  void check() {
    std::size_t undrained = 0;
    std::uint32_t open = 0;
    session_->for_each_stream([&](Stream& stream) {
      undrained += stream.undrained();
      open += stream.closed() ? 0 : 1;
      AQUIFER_ASSERT(session_->send_window(stream) <= kWindowMax);
    });
    AQUIFER_ASSERT(undrained == session_->undrained() && undrained <= config_.undrained_max);
    AQUIFER_ASSERT(open <= session_->open_streams());
    // What the peer may make us hold. Ours are bounded by our pool, and by a peer that says so.
    if (config_.role == Role::server) AQUIFER_ASSERT(streams_.size() <= 2 * 100 + 2);
    // The output is frames, whole ones.
    std::vector<std::uint8_t> bytes;
    while (!out_.empty()) {
      const ByteView front = out_.front();
      bytes.insert(bytes.end(), front.begin(), front.end());
      out_.consume(front.size());
    }
    ByteView rest(bytes);
    if (as_text(rest).starts_with(kClientPreface)) rest = rest.subspan(kClientPreface.size());
    while (!rest.empty()) {
      AQUIFER_ASSERT(rest.size() >= kFrameHeaderBytes);
      const FrameHeader header = decode_frame_header(rest.data());
      AQUIFER_ASSERT(header.length <= rest.size() - kFrameHeaderBytes);
      AQUIFER_ASSERT(header.length <= session_->peer_settings().max_frame_size ||
                     header.type == FrameType::data);
      AQUIFER_ASSERT(header.type <= FrameType::continuation &&
                     header.type != FrameType::push_promise);
      rest = rest.subspan(kFrameHeaderBytes + header.length);
    }
  }

  Input& input_;
  SessionConfig config_;
  io::ChunkQueue out_;
  std::unique_ptr<Session> session_;
  std::vector<Stream*> streams_;
  MonoTime now_{};
};

/// A frame whose length is right: type, flags, stream and size from the input, then the payload.
void feed_frame(Owner& owner, Input& input) {
  FrameHeader header;
  header.type = static_cast<FrameType>(input.byte());
  header.flags = input.byte();
  header.stream_id = input.byte();
  const ByteView payload = input.bytes(input.byte());
  header.length = static_cast<std::uint32_t>(payload.size());
  std::vector<std::uint8_t> bytes(kFrameHeaderBytes);
  encode_frame_header(bytes.data(), header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  owner.feed(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input({data, size});
  const std::uint8_t how = input.byte();
  Owner owner((how & 1) != 0 ? Role::client : Role::server, input);
  // Half of the inputs start behind the handshake.
  if ((how & 2) != 0) {
    if ((how & 1) == 0) owner.feed(as_bytes(kClientPreface));
    constexpr std::uint8_t kSettings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    owner.feed(kSettings);
  }
  while (!input.empty()) {
    const std::uint8_t what = input.byte();
    if (what < 96) {
      feed_frame(owner, input);
    } else if (what < 192) {
      owner.act();
    } else {
      owner.feed(input.bytes(what - 191));
    }
  }
  return 0;
}
