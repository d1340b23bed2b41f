#include "waypoint/exchange.h"

#include "common/base/log.h"
#include "common/coro/cancel_link.h"
#include "common/io/expiry.h"
#include "config/model/l7/path.h"
#include "config/model/l7/routing_book.h"
#include "waypoint/filters/context.h"
#include "waypoint/filters/cors.h"
#include "waypoint/filters/fault.h"
#include "waypoint/filters/headers.h"
#include "waypoint/filters/mirror.h"
#include "waypoint/filters/security.h"
#include "waypoint/request_id.h"
#include "waypoint/request_metrics.h"
#include "waypoint/websocket.h"
#include "waypoint/worker.h"

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {
namespace {

LocalReply refusal(int status, Flag flag, std::string details, std::string body = {}) {
  LocalReply reply;
  reply.status = status;
  reply.flag = flag;
  reply.details = std::move(details);
  reply.body = std::move(body);
  return reply;
}

}  // namespace

Exchange::Exchange(Worker& worker, DownstreamPtr downstream, http::ServerStream& client)
    : worker_(worker),
      downstream_(std::move(downstream)),
      client_(client),
      request_(client.request()),
      snapshot_(worker.snapshot),
      live_(worker.live, record_, &request_) {
  worker_.exchanges.fetch_add(1, std::memory_order_relaxed);
}

Exchange::~Exchange() {
  worker_.exchanges.fetch_sub(1, std::memory_order_relaxed);
}

coro::Task<void> Exchange::run(coro::CancelSource* cancel) {
  const coro::CancelLink link(*cancel, scope_);
  auto reply = read_request();
  if (!reply) reply = check_policies();
  if (!reply) reply = choose_route();
  if (!reply) reply = co_await apply_filters();
  if (!reply) reply = take_action();
  if (!reply) {
    record_.phase = Phase::connecting;
    reply = co_await forward();
  }
  record_.phase = Phase::answering;
  if (reply) {
    co_await answer_locally(std::move(*reply));
  } else {
    co_await pass_answer();
  }
  co_await end_upload();
  co_await end_watch();
  upstream_.release();
  scope_.cancel();
  co_await scope_.join();
  if (client_gone_) record_.flags.set(Flag::downstream_termination);
  record_.request_messages = request_messages_.count();
  record_.response_messages = response_messages_.count();
  record_.head = std::move(request_);
  worker_.node.metrics.finish(worker_, std::move(record_));
}

// Before anything is decided: one spelling of the path, and what the log will want of the request
// as it came.
std::optional<LocalReply> Exchange::read_request() {
  record_.started_at = std::chrono::system_clock::now();
  record_.started = worker_.loop.now();
  record_.downstream = downstream_;
  grpc_ = http::is_grpc(request_.fields);
  record_.grpc = grpc_;
  if (request_.method != "CONNECT" && !l7::is_normal_path(request_.path)) {
    auto path = l7::normalise_path(request_.path);
    if (!path) {
      return refusal(400, Flag::downstream_protocol_error, "path_normalization_failed",
                     path.error().context);
    }
    request_.path = std::move(*path);
  }
  if (!request_.fields.contains("x-request-id")) {
    request_.fields.add("x-request-id", make_request_id(worker_.random));
  }
  if (request_.scheme.empty()) request_.scheme = "http";
  if (!request_.fields.contains("x-forwarded-proto"))
    request_.fields.add("x-forwarded-proto", request_.scheme);
  // Only who proved an identity here may speak of one: a client's own words are taken out.
  request_.fields.remove("x-forwarded-client-cert");
  return std::nullopt;
}

std::optional<LocalReply> Exchange::check_policies() {
  const l7::SecurityBook& book = *snapshot_->books().security;
  if (book.empty()) return std::nullopt;
  const SelfPtr self = worker_.self;
  SecurityContext context{.book = book,
                          .keys = worker_.token_keys,
                          .gateway = self->gateway,
                          .service = downstream_->service_key,
                          .source = downstream_->source,
                          .destination = downstream_->wanted,
                          .identity = downstream_->proven(),
                          .server_name = {},
                          .now = std::chrono::floor<std::chrono::seconds>(record_.started_at),
                          .token = nullptr,
                          .request_principal = {},
                          .audited_by = {},
                          .dry_run = {}};
  auto refused = secure(context, request_);
  record_.dry_run = std::move(context.dry_run);
  record_.audited_by = std::move(context.audited_by);
  if (!refused) return std::nullopt;
  LocalReply reply =
      refusal(refused->status, refused->flags == "UAEX" ? Flag::unauthorized : Flag::none,
              std::move(refused->details), std::move(refused->body));
  reply.fields = std::move(refused->fields);
  record_.refusal = std::move(refused->reason);
  return reply;
}

l7::RequestView Exchange::view() const noexcept {
  return {.method = request_.method,
          .scheme = request_.scheme,
          .authority = request_.authority,
          .path = request_.path,
          .headers = request_.fields,
          .source = downstream_->source,
          .destination = downstream_->wanted,
          .identity = downstream_->proven()};
}

std::optional<LocalReply> Exchange::choose_route() {
  chain_ = worker_.chains.find(snapshot_, *downstream_);
  if (chain_ == nullptr) return refusal(404, Flag::no_route, "filter_chain_not_found");
  route_ = chain_->routes.find(view());
  record_.route = route_;
  if (route_ == nullptr) return refusal(404, Flag::no_route, "route_not_found");
  if (route_->timeouts.request > Duration::zero())
    deadline_ = worker_.loop.after(route_->timeouts.request);
  return std::nullopt;
}

coro::Task<std::optional<LocalReply>> Exchange::apply_filters() {
  FilterContext context{.snapshot = *snapshot_,
                        .downstream = *downstream_,
                        .route = *route_,
                        .request = request_,
                        .record = record_,
                        .answer_fields = answer_fields_,
                        .random = worker_.random()};
  if (route_->fault) {
    auto aborted =
        co_await inject_fault(worker_.loop, context, *route_->fault, &scope_.cancel_source());
    if (aborted) co_return aborted;
  }
  if (route_->cors) {
    if (auto preflight = apply_cors(context, *route_->cors)) co_return preflight;
  }
  co_return std::nullopt;
}

std::optional<LocalReply> Exchange::take_action() {
  if (const auto* redirect = std::get_if<l7::Redirect>(&route_->action))
    return redirect_reply(*redirect, route_->match.path, request_);
  if (const auto* direct = std::get_if<l7::DirectResponse>(&route_->action))
    return refusal(direct->status, Flag::none, "direct_response", direct->body);
  const auto& forward = std::get<l7::Forward>(route_->action);
  choice_ = pick_weighted(forward.clusters, worker_.random());
  if (choice_ == nullptr || choice_->cluster.empty())
    return refusal(500, Flag::no_cluster, "backend_not_found");
  cluster_ = worker_.clusters.find(snapshot_, choice_->cluster, worker_.loop.now());
  if (cluster_ == nullptr) return refusal(503, Flag::no_cluster, "cluster_not_found");
  record_.cluster = cluster_->config_pointer();

  change_headers(route_->request_headers, request_.fields);
  change_headers(choice_->request_headers, request_.fields);
  if (forward.path.kind != l7::PathRewrite::Kind::none) {
    record_.original_path = request_.path;
    request_.path = rewritten_path(forward.path, route_->match.path, request_.path);
  }
  if (!forward.authority.empty()) request_.authority = forward.authority;
  return std::nullopt;
}

coro::Task<std::optional<LocalReply>> Exchange::forward() {
  permit_ = try_permit(cluster_->circuit(), cluster_->config().limits, CircuitKind::request);
  if (!permit_) co_return refusal(503, Flag::upstream_overflow, "overflow");
  prepare_pick();
  if (equal_without_case(request_.upgrade, "websocket") && wire() == UpstreamPool::Wire::http1 &&
      !request_.fields.contains("sec-websocket-key")) {
    request_.fields.add("sec-websocket-key", make_websocket_key(worker_.random));
  }
  if (client_.ended() || may_switch()) start_watch();
  if (client_.ended()) start_mirrors();
  const l7::RetryPolicy& policy = route_->retry ? *route_->retry : l7::default_retry_policy();
  if (policy.attempts == 0) replay_.give_up();
  Permit retrying;
  for (std::uint32_t retries = 0;; ++retries) {
    Tried tried = co_await try_endpoint(policy);
    const bool wanted = wants_retry(policy, request_.method, tried.end) && replay_.can_replay() &&
                        !scope_.cancel_source().cancelled() &&
                        !deadline_.expired(worker_.loop.now());
    if (!wanted) co_return std::move(tried.failure);
    retrying = Permit();
    if (retries < policy.attempts) {
      retrying = try_permit(cluster_->circuit(), cluster_->config().limits, CircuitKind::retry);
    }
    if (!retrying) {
      if (policy.attempts > 0) record_.flags.set(Flag::retry_limit);
      co_return std::move(tried.failure);
    }
    co_await end_upload();
    finish_try(Outcome::answered, tried.end.status);
    upstream_.release();
    const Duration pause = retry_pause(policy, retries + 1, worker_.random());
    const Deadline until = worker_.loop.after(pause).sooner(deadline_);
    const Status slept = co_await io::sleep_until(worker_.loop, until, &scope_.cancel_source());
    if (!slept) {
      // Of what was answered nothing is left.
      if (!tried.failure) tried.failure = refusal(503, Flag::local_reset, "local_reset");
      co_return std::move(tried.failure);
    }
  }
}

coro::Task<void> Exchange::answer_locally(LocalReply reply) {
  // A request that turned out to be malformed behind its head: its client is told so.
  const int fault = client_gone_ ? client_gone_->detail : 0;
  const bool malformed = fault >= 400 && fault < 500;
  if (malformed) {
    reply = refusal(fault, Flag::downstream_protocol_error, "malformed_body");
    client_gone_.reset();
  }
  if (reply.flag != Flag::none) record_.flags.set(reply.flag);
  record_.details = reply.details;
  if (client_gone_ || client_.request().method.empty()) co_return;
  http::ResponseHead head = head_of(reply, grpc_);
  for (const HeaderField field : answer_fields_) head.fields.add(field.name, field.value);
  record_.status = head.status;
  if (grpc_) note_grpc_status(head.fields);
  const bool bodyless = grpc_ || reply.body.empty() || request_.method == "HEAD";
  const Status sent = client_.respond(head, bodyless ? http::End::yes : http::End::no);
  responded_ = sent.has_value();
  if (!sent || bodyless) co_return;
  const auto room = co_await client_.writable(&scope_.cancel_source());
  if (!room) co_return;
  record_.bytes_sent += reply.body.size();
  if (!client_.write(io::Buffer::copy_of(as_bytes(reply.body)))) co_return;
  const auto flushed = co_await client_.writable(&scope_.cancel_source());
  if (flushed) std::ignore = client_.finish({});
}

// From the head of the answer to its last byte, at the pace of the client.
coro::Task<void> Exchange::pass_answer() {
  http::ClientStream& server = upstream_.stream();
  record_.status = response_.status;
  record_.details = "via_upstream";
  change_headers(route_->response_headers, response_.fields);
  change_headers(choice_->response_headers, response_.fields);
  for (const HeaderField field : answer_fields_) response_.fields.add(field.name, field.value);
  const bool switched = switches();
  // Of the key that we made.
  if (switched && request_.version == http::Version::http_2)
    response_.fields.remove("sec-websocket-accept");
  const bool bodyless = !switched && (server.ended() || request_.method == "HEAD");
  const bool trailers_only = bodyless && grpc_;
  if (trailers_only) note_grpc_status(response_.fields);
  const Status told = client_.respond(
      response_, bodyless && server.trailers().empty() ? http::End::yes : http::End::no);
  responded_ = told.has_value();
  if (!told) {
    client_gone_ = told.error();
    finish_try(Outcome::cancelled, 0);
    co_return;
  }
  // Bytes of another protocol flow both ways; the request's side begins only now.
  if (switched) {
    co_await end_watch();
    start_upload();
  }
  io::Expiry expiry(worker_.loop, deadline_.sooner(backend_deadline_), &scope_.cancel_source());
  if (!bodyless || !server.trailers().empty()) {
    const Status passed = co_await pass_body(server, expiry.source());
    if (!passed) {
      const Error error = expiry.why(passed.error());
      end_of_answer(error);
      if (client_gone_) co_return;
      client_.abort(http::Abort::internal_error);
      co_return;
    }
  }
  finish_try(Outcome::answered, status_for_health());
}

coro::Task<Status> Exchange::pass_body(http::ClientStream& server, coro::CancelSource* cancel) {
  for (;;) {
    auto room = co_await client_.writable(cancel);
    if (!room) co_return std::unexpected(room.error().from(ErrorSource::downstream));
    auto bytes = co_await server.read(cancel);
    if (!bytes) co_return std::unexpected(bytes.error());
    if (bytes->empty()) {
      if (grpc_) note_grpc_status(server.trailers());
      const Status finished = client_.finish(server.trailers());
      co_return finished;
    }
    record_.bytes_sent += bytes->size();
    if (grpc_) response_messages_.see(bytes->view());
    CO_TRY_VOID(client_.write(std::move(*bytes)));
  }
}

void Exchange::end_of_answer(const Error& error) {
  if (error.source == ErrorSource::downstream || client_gone_) {
    if (!client_gone_) client_gone_ = error;
    finish_try(Outcome::cancelled, 0);
    return;
  }
  if (error.code == Errc::timed_out) {
    record_.flags.set(Flag::upstream_timeout);
    record_.details = "upstream_response_timeout";
    finish_try(Outcome::timed_out, 0);
    return;
  }
  if (error.code == Errc::cancelled) {
    record_.flags.set(Flag::local_reset);
    finish_try(Outcome::cancelled, 0);
    return;
  }
  record_.flags.set(error.code == Errc::protocol ? Flag::upstream_protocol_error
                                                 : Flag::upstream_connection_termination);
  record_.details = "upstream_reset_after_response_started{connection_termination}";
  finish_try(Outcome::reset, 0);
}

void Exchange::note_grpc_status(const HeaderFields& fields) {
  const auto text = fields.find("grpc-status");
  if (!text) return;
  const auto number = http::parse_content_length(*text);
  if (number && *number <= 16) record_.grpc_status = static_cast<int>(*number);
}

int Exchange::status_for_health() const noexcept {
  if (grpc_ && record_.grpc_status) return http_status_of_grpc(*record_.grpc_status);
  return response_.status;
}

}  // namespace aquifer::waypoint
