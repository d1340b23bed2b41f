#include "common/http1/request_reader.h"

namespace aquifer::http1 {

Result<RequestReader::Progress> RequestReader::feed(ByteView bytes) {
  Progress progress;
  for (;;) {
    TRY(const Step step, parser_.next(bytes));
    bytes = bytes.subspan(step.consumed);
    progress.consumed += step.consumed;
    switch (step.event) {
      case Event::need_more: return progress;
      case Event::head:
        // RFC 9110 section 10.1.1: not from HTTP/1.0, and not when the body is on its way already.
        if (parser_.head().expects_continue && parser_.head().framing != BodyFraming::none &&
            parser_.head().version == Version::http_1_1 && bytes.empty()) {
          progress.state = State::wants_continue;
          return progress;
        }
        break;
      case Event::body: message_.body.append(as_text(step.body)); break;
      case Event::end:
        message_.head = parser_.head();
        progress.state = State::complete;
        return progress;
    }
  }
}

}  // namespace aquifer::http1
