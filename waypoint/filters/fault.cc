#include "waypoint/filters/fault.h"

namespace aquifer::waypoint {

coro::Task<std::optional<LocalReply>> inject_fault(io::Loop& loop, FilterContext& context,
                                                   const l7::Fault& fault,
                                                   coro::CancelSource* cancel) {
  // Two draws of one number: its halves are independent.
  const auto delay_draw = static_cast<std::uint32_t>(context.random % l7::kWhole);
  const auto abort_draw = static_cast<std::uint32_t>((context.random >> 32) % l7::kWhole);
  if (fault.delay > Duration::zero() && delay_draw < fault.delay_millionths) {
    context.record.flags.set(Flag::delay_injected);
    const Status slept = co_await io::sleep_until(loop, loop.after(fault.delay), cancel);
    if (!slept) co_return std::nullopt;  // whoever cancelled ends the exchange
  }
  if (abort_draw >= fault.abort_millionths) co_return std::nullopt;
  LocalReply reply;
  reply.status = fault.abort_status != 0 ? fault.abort_status : 200;
  reply.flag = Flag::fault_injected;
  reply.details = "fault_filter_abort";
  reply.body = "fault filter abort";
  if (fault.abort_grpc_status) {
    reply.grpc_status = static_cast<int>(*fault.abort_grpc_status);
    if (fault.abort_status == 0 && !context.record.grpc)
      reply.status = http_status_of_grpc(*reply.grpc_status);
  }
  co_return reply;
}

}  // namespace aquifer::waypoint
