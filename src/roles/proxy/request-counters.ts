/** What is counted of requests, for `/metrics`. */
import type { Counter, Metrics } from '../../util/index.ts'

const COUNT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

export function countersOf(
  metrics: Metrics,
): Readonly<Record<'requests' | 'refused' | 'stray' | 'blamed' | 'moved', Counter>> &
  Readonly<Record<'duration' | 'waited', ReturnType<Metrics['histogram']>>> {
  return {
    requests: metrics.counter('requests_total', 'Requests that ended, by result', ['result']),
    refused: metrics.counter('requests_refused_total', 'Requests refused before they reached a worker, by reason', [
      'reason',
    ]),
    stray: metrics.counter('stray_answers_total', 'Answers for requests that do not run on that worker connection'),
    blamed: metrics.counter('worker_answers_refused_total', 'Worker answers refused, by reason', ['reason']),
    moved: metrics.counter('requests_moved_total', 'Requests given to another worker before any answer, by reason', [
      'reason',
    ]),
    waited: metrics.histogram(
      'queue_seconds',
      'Time that requests waited for a place, of those that had to',
      COUNT_BUCKETS,
    ),
    duration: metrics.histogram('request_seconds', 'Time from admission to settlement', COUNT_BUCKETS),
  }
}
