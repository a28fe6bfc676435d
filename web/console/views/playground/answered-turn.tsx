/** A question and its answer, as far as it has come. */
import { Complaint } from '../../parts/complaint.tsx'
import { CopyButton } from '../../parts/copied.tsx'
import { Prose } from '../../parts/prose.tsx'
import { AnswerFacts } from './answer-facts.tsx'
import type { Answer } from './run-chat.ts'

export interface AnsweredTurnProps {
  readonly question: string
  readonly model: string
  readonly answer: Answer
}

const STATES: Readonly<Record<Answer['state'], string>> = {
  waiting: 'Waiting for the first token …',
  answering: 'Answering …',
  done: 'Answered.',
  stopped: 'Stopped.',
  failed: 'Failed.',
}

export function AnsweredTurn({ question, model, answer }: AnsweredTurnProps) {
  const isRunning = answer.state === 'waiting' || answer.state === 'answering'
  return (
    <article class="turn" aria-busy={isRunning}>
      <h2 class="who">You</h2>
      <Prose text={question} />
      <h2 class="who">{model}</h2>
      {answer.reasoning !== '' && (
        <details class="reasoning" open={answer.content === ''}>
          <summary>Reasoning</summary>
          <Prose text={answer.reasoning} />
        </details>
      )}
      <div class="answer" aria-label="Answer" role="group">
        <Prose text={answer.content} />
      </div>
      <Complaint error={answer.error} />
      {/* One word for whoever hears the page, instead of each piece. */}
      <p class="hint" role="status">
        {STATES[answer.state]}{' '}
        {answer.content !== '' && !isRunning && <CopyButton text={answer.content} what="the answer" />}
      </p>
      <AnswerFacts answer={answer} />
    </article>
  )
}
