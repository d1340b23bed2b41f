// One request and its answer: the life of a request, from its head to its last byte. On the loop
// that serves it, which may be another than its client's.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/cancel_link.h"
#include "common/coro/scope.h"
#include "common/coro/task.h"
#include "common/http/stream.h"
#include "config/model/l7/chain.h"
#include "waypoint/downstream.h"
#include "waypoint/grpc_messages.h"
#include "waypoint/live_requests.h"
#include "waypoint/local_reply.h"
#include "waypoint/replay.h"
#include "waypoint/request_record.h"
#include "waypoint/retry.h"
#include "waypoint/upstream/cluster.h"
#include "waypoint/upstream/pool.h"
#include "waypoint/upstream/session.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::waypoint {

struct Worker;

class Exchange {
 public:
  /// All three outlive it; `client` is a request whose head has come and was not answered.
  Exchange(Worker& worker, DownstreamPtr downstream, http::ServerStream& client);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  /// The spine. Answers, or throws the client's request away, whatever happens.
  [[nodiscard]] coro::Task<void> run(coro::CancelSource* cancel);

  [[nodiscard]] const RequestRecord& record() const noexcept { return record_; }
  /// Ends it, soon.
  void cut() noexcept { scope_.cancel(); }

 private:
  // The phases (exchange.cc). Each gives the answer that ends the request here, or nothing.
  [[nodiscard]] std::optional<LocalReply> read_request();
  [[nodiscard]] std::optional<LocalReply> check_policies();
  [[nodiscard]] l7::RequestView view() const noexcept;
  [[nodiscard]] std::optional<LocalReply> choose_route();
  [[nodiscard]] coro::Task<std::optional<LocalReply>> apply_filters();
  [[nodiscard]] std::optional<LocalReply> take_action();
  [[nodiscard]] coro::Task<std::optional<LocalReply>> forward();
  [[nodiscard]] coro::Task<void> answer_locally(LocalReply reply);
  [[nodiscard]] coro::Task<void> pass_answer();
  [[nodiscard]] coro::Task<Status> pass_body(http::ClientStream& server,
                                             coro::CancelSource* cancel);
  void end_of_answer(const Error& error);
  void note_grpc_status(const HeaderFields& fields);
  [[nodiscard]] int status_for_health() const noexcept;

  // One try of one endpoint (exchange_try.cc).
  struct Tried {
    TryEnd end;
    std::optional<LocalReply> failure;
  };
  enum class HeadSent : std::uint8_t { no, yes };
  /// A task that looks at the client while the answer is awaited: it sends the request's body, or
  /// only watches. A try may end it, and so may the whole exchange.
  struct Attending {
    explicit Attending(coro::CancelSource& outer) : link(outer, scope) {}
    coro::Scope scope;
    coro::CancelLink link;
  };
  [[nodiscard]] coro::Task<Tried> try_endpoint(const l7::RetryPolicy& policy);
  [[nodiscard]] Tried failed(const Error& error, HeadSent head_sent);
  void finish_try(Outcome outcome, int status);
  void prepare_pick();
  [[nodiscard]] UpstreamPool::Wire wire() const noexcept;
  /// Bytes of another protocol may follow the answer, both ways.
  [[nodiscard]] bool may_switch() const noexcept;
  [[nodiscard]] bool switches() const noexcept;
  void start_upload();
  [[nodiscard]] coro::Task<void> end_upload();
  [[nodiscard]] coro::Task<void> upload(coro::CancelSource* cancel);
  void start_watch();
  [[nodiscard]] coro::Task<void> end_watch();
  [[nodiscard]] coro::Task<void> watch_client(coro::CancelSource* cancel);
  void start_mirrors();

  Worker& worker_;
  const DownstreamPtr downstream_;
  http::ServerStream& client_;
  http::RequestHead& request_;
  const model::SnapshotPtr snapshot_;
  RequestRecord record_;
  LiveRequest live_;

  l7::ChainPtr chain_;
  l7::RoutePtr route_;
  const l7::WeightedCluster* choice_ = nullptr;  // of the route's
  std::shared_ptr<Cluster> cluster_;
  Permit permit_;
  Lease lease_;
  Upstream upstream_;
  http::ResponseHead response_;
  std::vector<model::EndpointId> tried_;
  Deadline deadline_;          // of the whole request
  Deadline backend_deadline_;  // of the try under way

  PickRequest pick_;
  std::optional<Session> session_;
  HeaderFields answer_fields_;  // that whatever answer there is gets
  Replay replay_;
  std::unique_ptr<Attending> uploading_;
  std::unique_ptr<Attending> watching_;
  std::optional<Error> client_gone_;
  GrpcMessages request_messages_;
  GrpcMessages response_messages_;
  bool grpc_ = false;
  bool responded_ = false;
  bool mirrored_ = false;
  coro::Scope scope_;
};

/// One of several by weight; null when all weights are 0. Equal numbers choose equally.
[[nodiscard]] const l7::WeightedCluster* pick_weighted(
    const std::vector<l7::WeightedCluster>& clusters, std::uint64_t random) noexcept;

}  // namespace aquifer::waypoint
