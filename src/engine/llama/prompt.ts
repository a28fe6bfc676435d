/**
 * Messages to tokens by the model's own chat template, from the GGUF file. A file without one is asked in the form that
 * its architecture usually has. What people write is never taken for the template's special tokens.
 */
import {
  type ChatHistoryItem,
  type ChatModelFunctionCall,
  type ChatModelFunctions,
  type ChatWrapper,
  LlamaText,
  type LlamaModel,
  resolveChatWrapper,
  type Token,
} from 'node-llama-cpp'
import type { Message, Tool } from './contract.ts'
import { invalid } from '../embedded/errors.ts'

/** How this model spells what is not plain text. */
export interface ChatFormat {
  /** Tokens up to where the answer begins, and the texts that end it besides the end-of-turn tokens. */
  prompt(
    messages: readonly Message[],
    tools: readonly Tool[],
  ): { readonly tokens: Token[]; readonly stop: readonly string[]; readonly thinking: boolean }
  /** Around a tool call: opening, NAME, middle, JSON arguments. */
  readonly call: { readonly open: string; readonly middle: string }
  /** Marks around thinking, for models that have them. */
  readonly thought?: { readonly open: string; readonly close: string }
  /** Text of the template to tokens: special tokens are special here. */
  tokens(text: string): Token[]
}

export function chatFormat(model: LlamaModel): ChatFormat {
  const wrapper: ChatWrapper = resolveChatWrapper(model, { warningLogs: false })
  const spell = (text: string | LlamaText): string => model.detokenize(LlamaText(text).tokenize(model.tokenizer), true)
  const { functions, segments } = wrapper.settings
  const section = functions.parallelism?.call.sectionPrefix ?? ''
  const thought = segments?.thought
  const marks =
    thought?.suffix === undefined || spell(thought.suffix).trim() === ''
      ? undefined
      : { open: openingOf(thought.prefix, spell), close: spell(thought.suffix).trim() }
  const nextTurn = userTurnMark(model, wrapper)
  return {
    call: { open: spell(LlamaText(section, functions.call.prefix)), middle: spell(functions.call.paramsPrefix) },
    ...(marks === undefined ? {} : { thought: marks }),
    tokens: (text) => model.tokenize(text, true, 'trimLeadingSpace'),
    prompt(messages, tools) {
      const state = wrapper.generateContextState({
        chatHistory: toHistory(messages),
        ...(tools.length === 0 ? {} : { availableFunctions: toFunctions(tools), documentFunctionParams: true }),
      })
      const tokens = withBeginning(model, state.contextText.tokenize(model.tokenizer))
      const end = marks === undefined ? '' : model.detokenize(tokens.slice(-8), true)
      return {
        tokens,
        stop: [...state.stopGenerationTriggers.map(spell), ...nextTurn].filter(
          (text) => text !== '' && !startsWithEnd(model, text),
        ),
        thinking: marks !== undefined && end.trimEnd().endsWith(marks.open),
      }
    },
  }
}

/** Many templates leave the beginning-of-text token to the engine; models write visibly worse without it. */
export function withBeginning(model: LlamaModel, tokens: Token[]): Token[] {
  const { bos, shouldPrependBosToken } = model.tokens
  return shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens
}

/** Empty for models whose answers begin inside their thoughts. */
const openingOf = (prefix: ThoughtPrefix, spell: (text: string | LlamaText) => string): string =>
  typeof prefix === 'object' && 'type' in prefix ? '' : spell(prefix as string | LlamaText).trim()

type ThoughtPrefix = NonNullable<NonNullable<ChatWrapper['settings']['segments']>['thought']>['prefix']

/**
 * What the template writes before a person's next turn, without the end-of-turn tokens. Small models sometimes forget those
 * and go on to write the person's part as well.
 */
function userTurnMark(model: LlamaModel, wrapper: ChatWrapper): readonly string[] {
  const { contextText } = wrapper.generateContextState({
    chatHistory: [
      { type: 'user', text: PROBE },
      { type: 'model', response: [PROBE] },
      { type: 'user', text: PROBE },
    ],
  })
  const tokens = contextText.tokenize(model.tokenizer).filter((token) => !model.isEogToken(token))
  const mark = model.detokenize(tokens, true).split(PROBE)[2]?.trim() ?? ''
  return mark.length >= MIN_MARK_LENGTH ? [mark] : []
}

/** A word no template contains. */
const PROBE = 'qzxvk'
/** Anything shorter could be part of an honest answer. */
const MIN_MARK_LENGTH = 5

/** End-of-turn tokens end an answer without our help. */
const startsWithEnd = (model: LlamaModel, text: string): boolean => {
  const first = model.tokenize(text, true)[0]
  return first !== undefined && model.isEogToken(first)
}

/**
 * OpenAI's messages as turns. Tool results belong to the turn that called for them; a last message by the assistant is
 * continued rather than answered.
 */
export function toHistory(messages: readonly Message[]): ChatHistoryItem[] {
  const history: ChatHistoryItem[] = []
  const open = new Map<string, ChatModelFunctionCall>()
  for (const [i, message] of messages.entries()) {
    switch (message.role) {
      case 'system':
      case 'developer':
        history.push({ type: 'system', text: message.content })
        break
      case 'user':
        history.push({ type: 'user', text: message.content })
        break
      case 'assistant': {
        const calls = (message.tool_calls ?? []).map((call, k): [string, ChatModelFunctionCall] => [
          call.id,
          {
            type: 'functionCall',
            name: call.function.name,
            params: parseJson(call.function.arguments),
            result: null,
            startsNewChunk: k === 0,
          },
        ])
        for (const [id, call] of calls) open.set(id, call)
        const text = message.content ?? ''
        modelTurn(history).response.push(...(text === '' ? [] : [text]), ...calls.map(([, call]) => call))
        break
      }
      case 'tool': {
        const call = open.get(message.tool_call_id)
        if (call === undefined)
          throw invalid(`messages[${i}].tool_call_id`, 'answers no tool call of an earlier assistant message')
        call.result = parseJson(message.content)
        break
      }
    }
  }
  if (history.at(-1)?.type !== 'model') history.push({ type: 'model', response: [] })
  return history
}

/** The assistant's turn at the end of the history; calls, results and the text after them share one. */
function modelTurn(history: ChatHistoryItem[]) {
  const last = history.at(-1)
  if (last?.type === 'model') return last
  const turn = { type: 'model' as const, response: [] as (string | ChatModelFunctionCall)[] }
  history.push(turn)
  return turn
}

function toFunctions(tools: readonly Tool[]): ChatModelFunctions {
  return Object.fromEntries(
    tools.map(({ function: f }) => [
      f.name,
      {
        ...(f.description === undefined ? {} : { description: f.description }),
        // Only documented to the model here; the grammar is ours.
        ...(typeof f.parameters === 'object' && hasProperties(f.parameters) ? { params: f.parameters as never } : {}),
      },
    ]),
  )
}

const hasProperties = (schema: Readonly<Record<string, unknown>>): boolean =>
  typeof schema.properties === 'object' && schema.properties !== null && Object.keys(schema.properties).length > 0

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
