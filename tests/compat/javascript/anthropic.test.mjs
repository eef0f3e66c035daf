// The official Anthropic client for JavaScript against a real server, whose address is in OLLAMA_HOST; see
// ../test_javascript.py. What it shares with the one for Python is proved there, with ../test_anthropic_client.py.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'

const model = 'smollm2:135m'
const anthropic = new Anthropic({ baseURL: process.env.OLLAMA_HOST, apiKey: 'unused', maxRetries: 0 })
const messages = [{ role: 'user', content: 'What is the capital of France? Answer with one word.' }]
const asked = { model, messages, temperature: 0, max_tokens: 16 }
const weather = {
  name: 'get_weather',
  input_schema: { type: 'object', properties: { city: { enum: ['Paris', 'Oslo'] } }, required: ['city'] },
}

test('a message', async () => {
  const message = await anthropic.messages.create(asked)
  assert.match(message.content[0].text, /Paris/)
  assert.equal(message.stop_reason, 'end_turn')
  assert.ok(message.usage.input_tokens > 10)
  assert.match(message._request_id, /^req_/)
})

test('a stream', async () => {
  const stream = anthropic.messages.stream(asked)
  let text = ''
  stream.on('text', (delta) => { text += delta })
  const message = await stream.finalMessage()
  assert.equal(message.content[0].text, text)
  assert.match(text, /Paris/)
  assert.ok(message.usage.output_tokens > 0)
})

test('a forced call, and what follows', async () => {
  const question = [{ role: 'user', content: 'How is the weather in Oslo?' }]
  const request = { ...asked, messages: question, max_tokens: 200, tools: [weather] }
  const stream = anthropic.messages.stream({ ...request, tool_choice: { type: 'tool', name: 'get_weather' } })
  const { content, stop_reason } = await stream.finalMessage()
  assert.equal(stop_reason, 'tool_use')
  const [call] = content
  assert.ok(['Paris', 'Oslo'].includes(call.input.city))
  const result = { type: 'tool_result', tool_use_id: call.id, content: 'Sunny.' }
  const answer = await anthropic.messages.create({
    ...request,
    messages: [...question, { role: 'assistant', content }, { role: 'user', content: [result] }],
    tool_choice: { type: 'none' },
    max_tokens: 16,
  })
  assert.deepEqual(answer.content.map((block) => block.type), ['text'])
})

test('thoughts, text and a call of a model that takes them', async () => {
  const call = '<tool_call>{"name":"get_weather","arguments":{"city":"Oslo"}}</tool_call>'
  const content = `<think>Hm.</think>Well: ${call}`
  const request = { model: 'tooled', max_tokens: 2048, messages: [{ role: 'user', content }], tools: [weather] }
  const message = await anthropic.messages.stream(request).finalMessage()
  const [thought, text, used] = message.content
  assert.deepEqual([thought.thinking, text.text, used.input], ['Hm.', 'Well: ', { city: 'Oslo' }])
  assert.ok(thought.signature)
})

test('counting tokens', async () => {
  const { input_tokens } = await anthropic.messages.countTokens({ model, messages })
  assert.equal(input_tokens, (await anthropic.messages.create(asked)).usage.input_tokens)
})

test('errors', async () => {
  await assert.rejects(anthropic.messages.create({ ...asked, model: 'nope' }), (error) => {
    assert.ok(error instanceof Anthropic.NotFoundError)
    assert.equal(error.error.error.message, "model 'nope' not found")
    assert.equal(error.requestID, error.error.request_id)
    return true
  })
  await assert.rejects(anthropic.messages.create({ ...asked, tools: [weather] }), Anthropic.BadRequestError)
})

test('a stream that is aborted stops, and the server goes on', async () => {
  const story = [{ role: 'user', content: 'Tell me a very long story.' }]
  const stream = anthropic.messages.stream({ model, messages: story, max_tokens: 4000 })
  stream.on('text', () => stream.abort())
  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError)
  assert.match((await anthropic.messages.create(asked)).content[0].text, /Paris/)
})
