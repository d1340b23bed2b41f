// One try of one endpoint, and the request's body on its way there.
#include "common/base/log.h"
#include "common/coro/cancel_link.h"
#include "common/io/expiry.h"
#include "waypoint/error_words.h"
#include "waypoint/exchange.h"
#include "waypoint/upstream/request_hash.h"
#include "waypoint/worker.h"

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {
namespace {

LocalReply failure(int status, Flag flag, std::string details) {
  LocalReply reply;
  reply.status = status;
  reply.flag = flag;
  reply.details = std::move(details);
  reply.body = status == 504 ? "upstream request timeout" : "upstream connect error or disconnect";
  return reply;
}

// Interim answers to one request. A server that sends more of them has gone mad, or means to fill
// our memory: nobody waits for a client to take them.
constexpr int kInterimMax = 32;

WallSeconds wall_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

const l7::WeightedCluster* pick_weighted(const std::vector<l7::WeightedCluster>& clusters,
                                         std::uint64_t random) noexcept {
  if (clusters.size() == 1) return clusters.front().weight > 0 ? &clusters.front() : nullptr;
  std::uint64_t sum = 0;
  for (const l7::WeightedCluster& cluster : clusters) sum += cluster.weight;
  if (sum == 0) return nullptr;
  std::uint64_t at = random % sum;
  for (const l7::WeightedCluster& cluster : clusters) {
    if (at < cluster.weight) return &cluster;
    at -= cluster.weight;
  }
  return nullptr;
}

UpstreamPool::Wire Exchange::wire() const noexcept {
  switch (cluster_->config().protocol) {
    case l7::UpstreamProtocol::http1: return UpstreamPool::Wire::http1;
    case l7::UpstreamProtocol::http2: return UpstreamPool::Wire::http2;
    case l7::UpstreamProtocol::same_as_client: break;
  }
  // Every server of a port that says nothing speaks HTTP/1.1; gRPC needs more.
  return grpc_ ? UpstreamPool::Wire::http2 : UpstreamPool::Wire::http1;
}

coro::Task<Exchange::Tried> Exchange::try_endpoint(const l7::RetryPolicy& policy) {
  ++record_.tries;
  record_.phase = Phase::connecting;
  pick_.now = worker_.loop.now();
  pick_.random = worker_.random();
  pick_.tried = tried_;
  auto lease = cluster_->pick(pick_);
  if (!lease) {
    co_return Tried{.end = {.kind = TryEnd::Kind::overflow, .status = 0, .grpc_status = {}},
                    .failure = failure(503, Flag::no_healthy_upstream, "no_healthy_upstream")};
  }
  lease_ = std::move(*lease);
  tried_.push_back(lease_.endpoint().id);
  record_.upstream_host = lease_.endpoint().address;
  record_.upstream = lease_.endpoint().workload;

  // The backend's time is for its whole answer, a try's only until the answer begins.
  const Duration backend = route_->timeouts.backend;
  backend_deadline_ = backend > Duration::zero() ? worker_.loop.after(backend) : Deadline::never();
  Deadline deadline = deadline_.sooner(backend_deadline_);
  if (policy.per_try_timeout > Duration::zero())
    deadline = deadline.sooner(worker_.loop.after(policy.per_try_timeout));
  io::Expiry expiry(worker_.loop, deadline, &scope_.cancel_source());
  // Bytes of another protocol wait until the server has agreed to it.
  // A gRPC request ends with DATA, also an empty one (gRPC over HTTP/2, Requests): servers of
  // grpc-go do not see another end.
  const bool body = !may_switch() && (grpc_ || !client_.ended() || !replay_.bytes().empty());
  const auto end = body || may_switch() ? http::End::no : http::End::yes;
  auto opened = co_await worker_.upstreams.open(*cluster_, lease_.pointer(), request_, end, wire(),
                                                expiry.source());
  if (!opened) co_return failed(expiry.why(opened.error()), HeadSent::no);
  upstream_ = std::move(*opened);
  record_.phase = Phase::waiting;
  const MonoTime sent_at = worker_.loop.now();
  if (body) start_upload();
  for (int interim = 0;; ++interim) {
    auto head = co_await upstream_.stream().response(expiry.source());
    if (!head) co_return failed(expiry.why(head.error()), HeadSent::yes);
    if (head->status < 200 && head->status != 101) {
      if (interim == kInterimMax) {
        co_return failed(Error(Errc::protocol, ErrorSource::upstream, "too many interim answers"),
                         HeadSent::yes);
      }
      std::ignore = client_.inform(*head);
      continue;
    }
    response_ = std::move(*head);
    break;
  }
  lease_.answer_began(worker_.loop.now());
  record_.upstream_service_time = worker_.loop.now() - sent_at;
  if (route_->persistence) {
    const auto field =
        session_field(*route_->persistence, session_, lease_.endpoint().stable_id, wall_seconds());
    if (field) answer_fields_.set(field->name, field->value);
  }
  Tried tried;
  tried.end.status = response_.status;
  if (grpc_ && upstream_.stream().ended()) {
    note_grpc_status(response_.fields);
    tried.end.grpc_status = record_.grpc_status;
  }
  co_return tried;
}

Exchange::Tried Exchange::failed(const Error& error, HeadSent head_sent) {
  record_.upstream_failure = words_of(error);
  Tried tried;
  if (error.code == Errc::cancelled) {
    finish_try(Outcome::cancelled, 0);
    const auto flag = client_gone_ ? Flag::downstream_termination : Flag::local_reset;
    tried.end.kind = TryEnd::Kind::overflow;
    tried.failure =
        failure(503, flag, client_gone_ ? "downstream_remote_disconnect" : "local_reset");
    return tried;
  }
  if (error.code == Errc::limit) {
    finish_try(Outcome::cancelled, 0);
    tried.end.kind = TryEnd::Kind::overflow;
    tried.failure = failure(503, Flag::upstream_overflow, "overflow");
    return tried;
  }
  if (error.code == Errc::timed_out &&
      (head_sent == HeadSent::yes || deadline_.expired(worker_.loop.now()))) {
    finish_try(Outcome::timed_out, 0);
    tried.end.kind = TryEnd::Kind::timed_out;
    const bool whole = deadline_.expired(worker_.loop.now());
    tried.failure = failure(504, Flag::upstream_timeout,
                            whole ? "response_timeout" : "upstream_per_try_timeout");
    return tried;
  }
  if (head_sent == HeadSent::no) {
    finish_try(Outcome::connect_failed, 0);
    tried.end.kind = TryEnd::Kind::connect_failed;
    tried.failure = failure(503, Flag::upstream_connection_failure,
                            "upstream_reset_before_response_started{connection_failure}");
    return tried;
  }
  finish_try(Outcome::reset, 0);
  tried.end.kind = error.retry == Retry::yes ? TryEnd::Kind::refused : TryEnd::Kind::reset;
  if (error.code == Errc::protocol) {
    tried.failure = failure(502, Flag::upstream_protocol_error,
                            "upstream_reset_before_response_started{protocol_error}");
  } else {
    tried.failure = failure(503, Flag::upstream_connection_termination,
                            "upstream_reset_before_response_started{connection_termination}");
  }
  return tried;
}

void Exchange::finish_try(Outcome outcome, int status) {
  if (lease_) lease_.done(worker_.loop.now(), outcome, status);
  lease_ = Lease();
}

void Exchange::prepare_pick() {
  pick_ = PickRequest();
  if (!cluster_->config().balancing.hash.empty()) {
    const RequestHash hashed = hash_of(cluster_->config().balancing.hash, view(), worker_.random());
    pick_.hash = hashed.hash;
    if (!hashed.set_cookie.empty()) answer_fields_.add("set-cookie", hashed.set_cookie);
  }
  if (!route_->persistence) return;
  session_ = find_session(*route_->persistence, view(), wall_seconds());
  if (session_) pick_.preferred = cluster_->find_stable(session_->endpoint);
}

// --- the request's body

bool Exchange::may_switch() const noexcept {
  return !request_.upgrade.empty() || request_.method == "CONNECT";
}

bool Exchange::switches() const noexcept {
  return response_.status == 101 || (request_.method == "CONNECT" && response_.status / 100 == 2);
}

void Exchange::start_upload() {
  AQUIFER_ASSERT(uploading_ == nullptr);
  uploading_ = std::make_unique<Attending>(scope_.cancel_source());
  uploading_->scope.spawn(upload(&uploading_->scope.cancel_source()));
}

coro::Task<void> Exchange::end_upload() {
  if (uploading_ == nullptr) co_return;
  uploading_->scope.cancel();
  co_await uploading_->scope.join();
  uploading_.reset();
}

coro::Task<void> Exchange::upload(coro::CancelSource* cancel) {
  http::ClientStream& server = upstream_.stream();
  const bool switched = switches();
  if (!replay_.bytes().empty() && !switched) {
    const auto room = co_await server.writable(cancel);
    if (!room) co_return;
    if (!server.write(io::Buffer::copy_of(replay_.bytes()))) co_return;
  }
  for (;;) {
    const auto room = co_await server.writable(cancel);
    // The server takes no more: its answer, or its failure, is read elsewhere.
    if (!room) co_return;
    auto bytes = co_await client_.read(cancel);
    if (!bytes) {
      if (bytes.error().code == Errc::cancelled) co_return;
      client_gone_ = bytes.error();
      server.abort(http::Abort::cancelled);
      scope_.cancel();
      co_return;
    }
    if (bytes->empty()) break;
    record_.bytes_received += bytes->size();
    if (grpc_) request_messages_.see(bytes->view());
    if (!switched) replay_.add(bytes->view());
    if (!server.write(std::move(*bytes))) co_return;
  }
  if (!server.finish(client_.trailers())) co_return;
  if (switched || watching_ != nullptr) co_return;
  start_mirrors();
  const Error gone = co_await client_.failure(cancel);
  if (gone.code == Errc::cancelled) co_return;
  client_gone_ = gone;
  scope_.cancel();
}

// A mirror gets what was kept of the body: a request larger than that is not mirrored.
void Exchange::start_mirrors() {
  if (mirrored_ || !replay_.can_replay()) return;
  mirrored_ = true;
  for (const l7::Mirror& mirror : route_->mirrors) {
    if (worker_.random() % l7::kWhole >= mirror.millionths) continue;
    worker_.mirrors.send(snapshot_, mirror.cluster, request_,
                         std::string(as_text(replay_.bytes())));
  }
}

void Exchange::start_watch() {
  watching_ = std::make_unique<Attending>(scope_.cancel_source());
  watching_->scope.spawn(watch_client(&watching_->scope.cancel_source()));
}

// Whoever reads from the client now hears of its failure, too.
coro::Task<void> Exchange::end_watch() {
  if (watching_ == nullptr) co_return;
  watching_->scope.cancel();
  co_await watching_->scope.join();
  watching_.reset();
}

coro::Task<void> Exchange::watch_client(coro::CancelSource* cancel) {
  const Error gone = co_await client_.failure(cancel);
  if (gone.code == Errc::cancelled) co_return;
  client_gone_ = gone;
  scope_.cancel();
}

}  // namespace aquifer::waypoint
