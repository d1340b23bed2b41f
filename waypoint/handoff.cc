#include "waypoint/handoff.h"

#include "common/coro/cancel_link.h"
#include "common/coro/scope.h"

#include <utility>

namespace aquifer::waypoint {
namespace {

constexpr Error kGone = Error(Errc::closed, ErrorSource::downstream, "the client went away");

// Bytes of another protocol follow such an answer, both ways.
bool switches(const Handoff& handoff, const http::ResponseHead& head) noexcept {
  return head.status == 101 || (handoff.connect && head.status / 100 == 2);
}

class ServingSide final : public http::ServerStream {
 public:
  explicit ServingSide(std::shared_ptr<Handoff> handoff)
      : handoff_(std::move(handoff)), ended_(handoff_->bodyless) {}
  ~ServingSide() override {
    if (!finished_) handoff_->down.put(Cut{http::Abort::cancelled}, 0, handoff_);
    handoff_->up.abandon(handoff_);
  }

  [[nodiscard]] http::RequestHead& request() noexcept override { return handoff_->head; }
  [[nodiscard]] bool ended() const noexcept override { return ended_; }
  [[nodiscard]] const HeaderFields& trailers() const noexcept override { return trailers_; }

  [[nodiscard]] coro::Task<Result<io::Buffer>> read(coro::CancelSource* cancel) override {
    for (;;) {
      if (!early_.empty()) co_return std::exchange(early_, io::Buffer());
      if (failed_) co_return std::unexpected(*failed_);
      if (ended_) co_return io::Buffer();
      auto item = handoff_->up.take(handoff_);
      if (!item) {
        const Status woken = co_await handoff_->up.arrived.wait(cancel);
        if (!woken) co_return std::unexpected(woken.error());
        continue;
      }
      if (auto* bytes = std::get_if<io::Buffer>(&*item)) co_return std::move(*bytes);
      take_end(std::move(*item));
    }
  }
  [[nodiscard]] coro::Task<Error> failure(coro::CancelSource* cancel) override {
    for (;;) {
      if (failed_) co_return *failed_;
      // Bytes of another protocol that came before the answer: kept, and nothing behind them taken.
      if (early_.empty()) {
        if (auto item = handoff_->up.take(handoff_)) {
          if (auto* bytes = std::get_if<io::Buffer>(&*item)) early_ = std::move(*bytes);
          take_end(std::move(*item));
          continue;
        }
      }
      const Status woken = co_await handoff_->up.arrived.wait(cancel);
      if (!woken) co_return woken.error();
    }
  }

  [[nodiscard]] Status inform(const http::ResponseHead& head) override {
    if (failed_) return std::unexpected(*failed_);
    handoff_->down.put(Interim{head}, 0, handoff_);
    return {};
  }
  [[nodiscard]] Status respond(const http::ResponseHead& head, http::End end) override {
    // A request that was malformed behind its head still gets its answer.
    if (failed_ && failed_->detail < 400) return std::unexpected(*failed_);
    finished_ = end == http::End::yes;
    // Bytes of another protocol follow from the client, too.
    if (switches(*handoff_, head)) ended_ = false;
    handoff_->down.put(Answer{head, end}, 0, handoff_);
    return {};
  }
  [[nodiscard]] coro::Task<Result<std::size_t>> writable(coro::CancelSource* cancel) override {
    for (;;) {
      if (failed_) co_return std::unexpected(*failed_);
      if (handoff_->down.abandoned()) co_return std::unexpected(kGone);
      if (handoff_->down.has_room()) co_return LoopPipe<ToClient>::kBytesMax;
      const Status woken = co_await handoff_->down.room.wait(cancel);
      if (!woken) co_return std::unexpected(woken.error());
    }
  }
  [[nodiscard]] Status write(io::Buffer bytes) override {
    if (failed_) return std::unexpected(*failed_);
    const std::size_t size = bytes.size();
    handoff_->down.put(std::move(bytes).portable(), size, handoff_);
    return {};
  }
  [[nodiscard]] Status finish(const HeaderFields& trailers) override {
    if (failed_) return std::unexpected(*failed_);
    finished_ = true;
    handoff_->down.put(BodyEnd{trailers}, 0, handoff_);
    return {};
  }
  void abort(http::Abort why) noexcept override {
    if (finished_) return;
    finished_ = true;
    failed_ = Error(Errc::closed, ErrorSource::internal, "aborted");
    handoff_->down.put(Cut{why}, 0, handoff_);
  }

 private:
  void take_end(FromClient item) {
    if (auto* end = std::get_if<BodyEnd>(&item)) {
      ended_ = true;
      trailers_ = std::move(end->trailers);
    } else if (auto* error = std::get_if<Error>(&item)) {
      failed_ = *error;
    }
  }

  const std::shared_ptr<Handoff> handoff_;
  HeaderFields trailers_;
  io::Buffer early_;
  std::optional<Error> failed_;
  bool ended_;
  bool finished_ = false;
};

// The body, then the client's failure: the other loop hears of both.
coro::Task<void> pump_up(std::shared_ptr<Handoff> handoff, http::ServerStream& stream,
                         bool switched, coro::CancelSource* cancel) {
  bool ended = handoff->bodyless && !switched;
  while (!ended) {
    if (handoff->up.abandoned()) co_return;
    if (!handoff->up.has_room()) {
      const Status woken = co_await handoff->up.room.wait(cancel);
      if (!woken) co_return;
      continue;
    }
    auto bytes = co_await stream.read(cancel);
    if (!bytes) {
      if (bytes.error().code != Errc::cancelled) handoff->up.put(bytes.error(), 0, handoff);
      co_return;
    }
    ended = bytes->empty();
    if (ended) {
      handoff->up.put(BodyEnd{stream.trailers()}, 0, handoff);
    } else {
      const std::size_t size = bytes->size();
      handoff->up.put(std::move(*bytes).portable(), size, handoff);
    }
  }
  if (switched) co_return;
  const Error gone = co_await stream.failure(cancel);
  if (gone.code != Errc::cancelled) handoff->up.put(gone, 0, handoff);
}

enum class Told : std::uint8_t { more, switched, done };

Told tell(const Handoff& handoff, http::ServerStream& stream, ToClient item) {
  if (auto* interim = std::get_if<Interim>(&item)) {
    std::ignore = stream.inform(interim->head);
    return Told::more;
  }
  if (auto* answer = std::get_if<Answer>(&item)) {
    if (!stream.respond(answer->head, answer->end)) return Told::done;
    if (switches(handoff, answer->head)) return Told::switched;
    return answer->end == http::End::yes ? Told::done : Told::more;
  }
  if (auto* bytes = std::get_if<io::Buffer>(&item))
    return stream.write(std::move(*bytes)) ? Told::more : Told::done;
  if (auto* end = std::get_if<BodyEnd>(&item)) {
    std::ignore = stream.finish(end->trailers);
    return Told::done;
  }
  stream.abort(std::get<Cut>(item).why);
  return Told::done;
}

}  // namespace

coro::Task<void> relay(std::shared_ptr<Handoff> handoff, http::ServerStream& stream,
                       coro::CancelSource* cancel) {
  coro::Scope scope;
  coro::Scope body;
  {
    const coro::CancelLink link(*cancel, scope);
    coro::CancelSource* ours = &scope.cancel_source();
    const coro::CancelLink inner(*ours, body);
    body.spawn(pump_up(handoff, stream, false, &body.cancel_source()));
    bool answered = false;
    for (;;) {
      if (answered) {
        const auto room = co_await stream.writable(ours);
        if (!room) {
          handoff->up.put(room.error().from(ErrorSource::downstream), 0, handoff);
          break;
        }
      }
      auto item = handoff->down.take(handoff);
      if (!item) {
        const Status woken = co_await handoff->down.arrived.wait(ours);
        if (woken) continue;
        handoff->up.put(kGone, 0, handoff);
        break;
      }
      answered = answered || std::holds_alternative<Answer>(*item);
      const Told told = tell(*handoff, stream, std::move(*item));
      if (told == Told::done) break;
      // Where there was no body its pump only watches for a failure, and one may look at a time.
      if (told == Told::switched && handoff->bodyless) {
        body.cancel();
        co_await body.join();
        scope.spawn(pump_up(handoff, stream, true, ours));
      }
    }
    handoff->down.abandon(handoff);
    scope.cancel();
    co_await body.join();
    co_await scope.join();
  }
}

std::unique_ptr<http::ServerStream> serving_side(std::shared_ptr<Handoff> handoff) {
  return std::make_unique<ServingSide>(std::move(handoff));
}

}  // namespace aquifer::waypoint
