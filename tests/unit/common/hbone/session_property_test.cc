// Two sessions talk to each other through queues cut at random places, with writes, ends, resets,
// slow readers and hand-overs at random, against a model of what each side must have received. The
// seed is printed on failure; give it as AQUIFER_SEED to see the same run again.
#include "tests/unit/common/hbone/session_harness.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <random>

namespace aquifer::hbone {
namespace {

using namespace test;

/// One direction of one stream, as it ought to be.
struct Direction {
  std::uint64_t written = 0;
  std::uint64_t received = 0;
  std::uint64_t drained = 0;
  bool end_written = false;
  bool end_received = false;
};

/// The byte at each place of each direction is a function of both, so that a lost, doubled or
/// misplaced byte shows.
char byte_at(std::uint32_t id, bool from_client, std::uint64_t at) {
  return static_cast<char>((at * 131 + (at >> 8) * 17 + id * 7 + (from_client ? 3 : 0)) & 0xff);
}

class Side;

struct World {
  explicit World(std::uint64_t seed) : random(seed) {}
  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  }
  bool one_in(std::size_t n) { return below(n) == 0; }

  std::mt19937_64 random;
  MonoTime now{};
};

/// A session with its owner: keeps counts instead of bytes, checks each byte as it comes.
class Side final : public SessionEvents {
 public:
  Side(World& world, const SessionConfig& config) : world_(world), config_(config) {
    session_ = std::make_unique<Session>(config_, out_, *this);
    session_->start();
  }

  struct Local {
    Stream* stream = nullptr;
    Direction in;
    Direction out;
    bool answered = false;
    bool reset = false;
    bool refused = false;
  };

  void on_request(Stream& stream, ConnectRequest&& request) override {
    CHECK(request.authority == "10.0.0." + std::to_string(stream.id() % 250) + ":80");
    streams_[stream.id()].stream = &stream;
  }
  void on_response(Stream& stream, ConnectResponse&& response) override {
    CHECK(response.status == 200);
    streams_.at(stream.id()).answered = true;
  }
  std::size_t on_data(Stream& stream, ByteView payload) override {
    Direction& in = streams_.at(stream.id()).in;
    bool right = true;
    for (const std::uint8_t byte : payload) {
      right = right && static_cast<char>(byte) ==
                           byte_at(stream.id(), config_.role == Role::server, in.received++);
    }
    CHECK(right);
    if (!world_.one_in(2)) return 0;
    const std::size_t done = world_.below(payload.size() + 1);
    in.drained += done;
    return done;
  }
  void on_end_stream(Stream& stream) override { streams_.at(stream.id()).in.end_received = true; }
  void on_reset(Stream& stream, ErrorCode code) override {
    // Refused: the server had no place; it never told its owner.
    CHECK((code == ErrorCode::cancel || code == ErrorCode::refused_stream));
    streams_.at(stream.id()).reset = true;
    streams_.at(stream.id()).refused = code == ErrorCode::refused_stream;
  }
  void on_window(Stream&) override {}
  void on_connection_window() override {}
  void on_goaway(std::uint32_t, ErrorCode) override {}
  void on_ping_ack(std::uint64_t opaque) override {
    CHECK(opaque == pings_acked_);
    ++pings_acked_;
  }

  /// One random thing.
  void act() {
    const std::size_t choice = world_.below(100);
    if (choice < 10) {
      open_or_answer();
    } else if (choice < 55) {
      if (Local* local = pick()) write(*local);
    } else if (choice < 88) {
      if (Local* local = pick()) drain(*local);
    } else if (choice < 93) {
      if (Local* local = pick(); local != nullptr && sendable(*local)) {
        session_->end(*local->stream);
        local->out.end_written = true;
      }
    } else if (choice < 95) {
      if (Local* local = pick(); local != nullptr && !local->stream->closed()) {
        session_->reset(*local->stream, ErrorCode::cancel);
        local->reset = true;
      }
    } else if (choice < 97) {
      release_one_that_is_over();
    } else if (choice < 98) {
      session_->ping(pings_sent_++);
    } else {
      hand_over();
    }
  }

  void release_one_that_is_over() {
    for (auto& [id, local] : streams_) {
      if (local.stream == nullptr || !local.stream->closed() || !finished(local)) continue;
      session_->release(*local.stream);
      local.stream = nullptr;
      return;
    }
  }

  void hand_over() {
    const auto state = session_->export_state();
    if (!state) return;
    session_ = std::make_unique<Session>(config_, out_, *this, *state);
    session_->for_each_stream(
        [this](Stream& stream) { streams_.at(stream.id()).stream = &stream; });
  }

  /// Drains everything, ends everything: called until nothing moves any more.
  void finish() {
    for (auto& [id, local] : streams_) {
      if (local.stream == nullptr) continue;
      if (config_.role == Role::server && !local.stream->answered() && !local.stream->closed()) {
        CHECK(session_->respond(*local.stream, {}).has_value());
      }
      if (local.in.received > local.in.drained) {
        session_->drained(*local.stream, local.in.received - local.in.drained, world_.now);
        local.in.drained = local.in.received;
      }
      if (sendable(local)) {
        session_->end(*local.stream);
        local.out.end_written = true;
      }
    }
  }

  static bool finished(const Local& local) { return local.in.drained == local.in.received; }
  bool receive(ByteView bytes) { return session_->receive(bytes, world_.now).has_value(); }
  io::ChunkQueue& out() { return out_; }
  std::map<std::uint32_t, Local>& streams() { return streams_; }
  Session& session() { return *session_; }
  std::uint64_t pings_open() const { return pings_sent_ - pings_acked_; }

 private:
  bool sendable(const Local& local) const {
    if (local.stream == nullptr || local.stream->closed() || local.stream->local_ended())
      return false;
    return config_.role == Role::client ? local.answered : local.stream->answered();
  }
  Local* pick() {
    if (streams_.empty()) return nullptr;
    auto at = streams_.begin();
    // The newest ones mostly: old ones are over.
    std::advance(
        at, static_cast<std::ptrdiff_t>(streams_.size() - 1 -
                                        world_.below(std::min<std::size_t>(streams_.size(), 30))));
    return at->second.stream == nullptr ? nullptr : &at->second;
  }
  void open_or_answer() {
    if (config_.role == Role::client) {
      if (!session_->can_open() || streams_.size() > 300) return;
      const auto next = streams_.empty() ? 1 : streams_.rbegin()->first + 2;
      auto opened = session_->open(
          {.authority = "10.0.0." + std::to_string(next % 250) + ":80", .baggage = "k=v"}, nullptr);
      REQUIRE(opened.has_value());
      CHECK((*opened)->id() == next);
      streams_[next].stream = *opened;
    } else {
      for (auto& [id, local] : streams_) {
        if (local.stream == nullptr || local.stream->answered() || local.stream->closed()) continue;
        CHECK(session_->respond(*local.stream, {.status = 200, .baggage = "service.name=s"})
                  .has_value());
        return;
      }
    }
  }
  void write(Local& local) {
    if (!sendable(local)) return;
    const std::size_t sizes[] = {1, 100, 16384, 100'000};
    std::string payload(1 + world_.below(sizes[world_.below(4)]), '\0');
    for (std::size_t i = 0; i < payload.size(); ++i) {
      payload[i] = byte_at(local.stream->id(), config_.role == Role::client, local.out.written + i);
    }
    const auto end = world_.one_in(20) ? EndStream::yes : EndStream::no;
    if (world_.one_in(2)) {
      const std::size_t written = session_->write_data(*local.stream, as_bytes(payload), end);
      local.out.written += written;
      local.out.end_written = end == EndStream::yes && written == payload.size();
      CHECK(local.stream->local_ended() == local.out.end_written);
      return;
    }
    payload.resize(std::min(payload.size(), session_->send_window(*local.stream)));
    if (payload.empty()) return;
    io::Buffer buffer = io::Buffer::copy_of(as_bytes(payload));
    REQUIRE(session_->write_data_header(*local.stream, buffer, end).has_value());
    out_.append(std::move(buffer));
    local.out.written += payload.size();
    local.out.end_written = end == EndStream::yes;
  }
  void drain(Local& local) {
    const std::uint64_t waiting = local.in.received - local.in.drained;
    if (waiting == 0) return;
    const std::size_t bytes = 1 + world_.below(waiting);
    session_->drained(*local.stream, bytes, world_.now);
    local.in.drained += bytes;
  }

  World& world_;
  const SessionConfig& config_;
  io::ChunkQueue out_;
  std::unique_ptr<Session> session_;
  std::map<std::uint32_t, Local> streams_;
  std::uint64_t pings_sent_ = 0;
  std::uint64_t pings_acked_ = 0;
};

/// Moves a random amount of what one side sent to the other.
bool carry(World& world, Side& from, Side& to, bool all) {
  while (!from.out().empty()) {
    const ByteView front = from.out().front();
    std::size_t size = front.size();
    // Small pieces are where a parser goes wrong.
    if (!all || world.one_in(2))
      size = 1 + world.below(world.one_in(3) ? std::min<std::size_t>(size, 12) : size);
    // A copy of exactly the right size, so that a sanitizer sees reads beyond it.
    const std::vector<std::uint8_t> piece(front.begin(),
                                          front.begin() + static_cast<std::ptrdiff_t>(size));
    from.out().consume(size);
    if (!to.receive(piece)) return false;
    if (!all && world.one_in(2)) return true;
  }
  return true;
}

void run(std::uint64_t seed, std::size_t steps) {
  CAPTURE(seed);
  World world(seed);
  SessionConfig client_config = SessionConfig::client();
  SessionConfig server_config = SessionConfig::server();
  if (world.one_in(2)) client_config.local.header_table_size = kDefaultHeaderTableSize;
  if (world.one_in(2))
    server_config.local.initial_window_size = 1 + static_cast<std::uint32_t>(world.below(100'000));
  if (world.one_in(2))
    server_config.local.max_concurrent_streams = 1 + static_cast<std::uint32_t>(world.below(20));
  if (world.one_in(2)) client_config.local.max_frame_size = kDefaultMaxFrameSize;
  Side client(world, client_config);
  Side server(world, server_config);
  for (std::size_t step = 0; step < steps; ++step) {
    world.now += std::chrono::microseconds(world.below(3000));
    (world.one_in(2) ? client : server).act();
    REQUIRE(carry(world, client, server, false));
    REQUIRE(carry(world, server, client, false));
  }
  // Until both have nothing to say: everybody drains and ends.
  for (int round = 0; round < 1000; ++round) {
    client.finish();
    server.finish();
    if (client.out().empty() && server.out().empty()) break;
    REQUIRE(carry(world, client, server, true));
    REQUIRE(carry(world, server, client, true));
  }
  CHECK(client.out().empty());
  CHECK(server.out().empty());
  CHECK(client.pings_open() == 0);
  CHECK(server.pings_open() == 0);
  CHECK(client.session().open_streams() == 0);
  CHECK(server.session().open_streams() == 0);
  CHECK(client.session().undrained() == 0);
  CHECK(server.session().undrained() == 0);
  std::size_t whole = 0;
  for (auto& [id, at_client] : client.streams()) {
    CAPTURE(id);
    if (at_client.refused) CHECK(server.streams().count(id) == 0);
    if (server.streams().count(id) == 0) {
      // Refused; the client may have given it up before it heard of that.
      CHECK(at_client.reset);
      continue;
    }
    const auto& at_server = server.streams().at(id);
    // A reset may cross the other side's last END_STREAM; otherwise both know of it.
    if (at_client.reset != at_server.reset) {
      const auto& unaware = at_client.reset ? at_server : at_client;
      CHECK(unaware.in.end_received);
      CHECK(unaware.out.end_written);
    }
    // A stream that was reset may end short; one that was not has every byte and both ends.
    CHECK(at_server.in.received <= at_client.out.written);
    CHECK(at_client.in.received <= at_server.out.written);
    if (at_client.reset || at_server.reset) continue;
    ++whole;
    CHECK(at_server.in.received == at_client.out.written);
    CHECK(at_client.in.received == at_server.out.written);
    CHECK(at_server.in.end_received);
    CHECK(at_client.in.end_received);
  }
  CHECK(whole > 0);
}

TEST_CASE(
    "two sessions: every byte arrives once and in order, whatever the splits, resets and "
    "hand-overs") {
  if (const char* seed = std::getenv("AQUIFER_SEED"); seed != nullptr) {
    run(std::strtoull(seed, nullptr, 10), 4000);
    return;
  }
  std::random_device device;
  for (int i = 0; i < 20; ++i) run((std::uint64_t{device()} << 32) | device(), 4000);
}

}  // namespace
}  // namespace aquifer::hbone
