import { startLlamaServer } from './index.ts'
const [path, ...prompts] = process.argv.slice(2)
let t0 = performance.now()
const s = await startLlamaServer({ modelPath: path!, servedModelName: 'tinyllama', threads: 1, gpu: 'off' })
console.log('start ms', performance.now()-t0|0)
for (const p of prompts) {
  const t = performance.now(); let first=0, n=0, text='', usage
  const r = await fetch(s.url + '/v1/chat/completions', { method:'POST', headers:{'content-type':'application/json'}, body: JSON.stringify({ ...(process.env.SYS? {}:{}), messages:[...(process.env.SYS?[{role:'system',content:process.env.SYS}]:[]),{role:'user',content:p}], temperature: +(process.env.T ?? 0.7), seed: 1, max_tokens: 80, repetition_penalty: +(process.env.RP ?? 1.1), stream:true, stream_options:{include_usage:true} }) })
  let buf=''
  for await (const c of r.body as any) { buf += Buffer.from(c).toString(); }
  const tEnd=performance.now()
  for (const l of buf.split('\n')) if (l.startsWith('data: {')) { const j=JSON.parse(l.slice(6)); if (j.error) console.log(j.error); if (j.usage) usage=j.usage; const d=j.choices?.[0]?.delta?.content; if (d) { text+=d } }
  console.log('\nQ:', p, '\nA:', text, '\n', (tEnd-t)|0, 'ms', JSON.stringify(usage))
}
const t = performance.now()
const r = await fetch(s.url + '/v1/chat/completions', { method:'POST', headers:{'content-type':'application/json'}, body: JSON.stringify({ messages:[{role:'user',content:'What is the weather in Paris?'}], tools:[{type:'function',function:{name:'get_weather',description:'Weather of a city',parameters:{type:'object',properties:{city:{type:'string',maxLength:40},unit:{enum:['c','f']}},required:['city','unit']}}},{type:'function',function:{name:'get_time',parameters:{type:'object',properties:{zone:{type:'string',maxLength:40}},required:['zone']}}}], tool_choice:'required', seed:1, temperature:0.2}) })
console.log(JSON.stringify(await r.json()), performance.now()-t|0)
console.log('rss MB', process.memoryUsage().rss/1e6|0)
await s.close()
