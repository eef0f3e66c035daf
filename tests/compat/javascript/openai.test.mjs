// The official OpenAI client for JavaScript against a real server, whose address is in OLLAMA_HOST; see
// ../test_javascript.py. What it shares with the one for Python is proved there, with ../test_openai_client.py.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'

const model = 'smollm2:135m'
const openai = new OpenAI({ baseURL: `${process.env.OLLAMA_HOST}/v1`, apiKey: 'unused', maxRetries: 0 })
const messages = [{ role: 'user', content: 'What is the capital of France? Answer with one word.' }]
const asked = { model, messages, temperature: 0, max_completion_tokens: 16 }

test('chat', async () => {
  const answer = await openai.chat.completions.create(asked)
  assert.match(answer.choices[0].message.content, /Paris/)
  assert.equal(answer.choices[0].finish_reason, 'stop')
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
})

test('chat in a stream', async () => {
  const stream = openai.chat.completions.stream({ ...asked, stream_options: { include_usage: true } })
  let text = ''
  stream.on('content', (delta) => { text += delta })
  const answer = await stream.finalChatCompletion()
  assert.equal(answer.choices[0].message.content, text)
  assert.match(text, /Paris/)
  assert.ok((await stream.totalUsage()).completion_tokens > 0)
})

test('tools, run by the client until the model is done', async () => {
  const cities = []
  const runner = openai.chat.completions.runTools({
    ...asked,
    messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
    max_completion_tokens: 60,
    tool_choice: { type: 'function', function: { name: 'get_weather' } },
    tools: [{
      type: 'function',
      function: {
        name: 'get_weather',
        description: 'Tells the weather in a city.',
        parameters: { type: 'object', required: ['city'], properties: { city: { type: 'string' } } },
        parse: JSON.parse,
        function: ({ city }) => {
          cities.push(city)
          return '21 degrees and sunny'
        },
      },
    }],
  })
  await runner.done()
  assert.deepEqual(cities, ['Paris'])
  assert.equal(await runner.finalFunctionToolCallResult(), '21 degrees and sunny')
})

test('structured output', async () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string', maxLength: 20 }, capital: { const: 'Paris' } },
    required: ['name', 'capital'],
    additionalProperties: false,
  }
  const answer = await openai.chat.completions.create({
    ...asked,
    max_completion_tokens: 100,
    temperature: 1,
    response_format: { type: 'json_schema', json_schema: { name: 'country', strict: true, schema } },
  })
  assert.equal(JSON.parse(answer.choices[0].message.content).capital, 'Paris')
})

test('an aborted stream ends', async () => {
  const stream = await openai.chat.completions.create({ ...asked, max_completion_tokens: 2000, stream: true })
  let pieces = 0
  for await (const piece of stream) {
    assert.equal(piece.object, 'chat.completion.chunk')
    pieces += 1
    if (pieces === 2) stream.controller.abort()
  }
  assert.ok(pieces < 50)
})

test('completions', async () => {
  const answer = await openai.completions.create({ model, prompt: 'Say hi.', max_tokens: 4, temperature: 0 })
  assert.ok(answer.choices[0].text.length > 0)
})

test('embeddings', async () => {
  // The client asks for base64 and decodes it.
  const answer = await openai.embeddings.create({ model, input: ['king', 'queen'] })
  assert.deepEqual(answer.data.map((each) => each.embedding.length), [576, 576])
  const length = Math.hypot(...answer.data[0].embedding)
  assert.ok(Math.abs(length - 1) < 1e-4)
})

test('responses, and one that follows another', async () => {
  const asked = { model, temperature: 0, max_output_tokens: 24 }
  const first = await openai.responses.create({ ...asked, input: messages[0].content })
  assert.match(first.output_text, /Paris/)
  const stream = openai.responses.stream({ ...asked, input: 'And of Italy?', previous_response_id: first.id })
  let text = ''
  stream.on('response.output_text.delta', (event) => { text += event.delta })
  const second = await stream.finalResponse()
  assert.equal(second.output_text, text)
  assert.ok(second.usage.input_tokens > first.usage.input_tokens)
  await openai.responses.delete(first.id)
  await assert.rejects(openai.responses.retrieve(first.id), OpenAI.NotFoundError)
})

test('models', async () => {
  const names = []
  for await (const each of openai.models.list()) names.push(each.id)
  assert.ok(names.includes(model))
  assert.equal((await openai.models.retrieve('camelid/echo')).owned_by, 'camelid')
})

test('errors', async () => {
  const nothing = { ...asked, model: 'nope' }
  for (const stream of [false, true]) {
    await assert.rejects(openai.chat.completions.create({ ...nothing, stream }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError)
      assert.equal(error.type, 'not_found_error')
      assert.match(error.message, /model 'nope' not found/)
      return true
    })
  }
})
