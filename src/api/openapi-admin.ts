/** What the OpenAPI document says of `/admin`. */
import {
  budgetName,
  changedRole,
  closedAccount,
  newBudget,
  newKey,
  newMember,
  newProject,
  receiptsQuery,
  removeMember,
  usageQuery,
} from './admin-contract.ts'
import { type Operation, pathId, queryOf } from './openapi-operation.ts'

type Operations = Readonly<Record<string, Operation>>

const by = 'admin'
const parameters = [pathId('id')]

export const ADMIN: Readonly<Record<'get' | 'post' | 'put' | 'delete', Operations>> = {
  get: {
    '/admin/self': { summary: 'Who asks, and what that one may do.', by },
    '/admin/projects': { summary: 'Projects.', by },
    '/admin/keys': { summary: 'API keys, without their texts.', by },
    '/admin/members': { summary: 'Members of projects.', by },
    '/admin/budgets': { summary: 'Budgets, and what is spent and reserved of them.', by },
    '/admin/usage': {
      summary: 'Requests, tokens and cost, summed; by code: requests that failed and that were refused.',
      by,
      parameters: queryOf(usageQuery),
    },
    '/admin/receipts': { summary: 'One for each request, newest first.', by, parameters: queryOf(receiptsQuery) },
  },
  post: {
    '/admin/projects': { summary: 'Makes or renames a project.', by, request: newProject, status: 201 },
    '/admin/keys': { summary: 'Makes an API key; its text is in this answer alone.', by, request: newKey, status: 201 },
    '/admin/keys/{id}/revoke': { summary: 'Ends an API key.', by, parameters },
    '/admin/members': {
      summary: 'Adds a member; the credential is in this answer alone.',
      by,
      request: newMember,
      status: 201,
    },
    '/admin/members/{id}/role': { summary: 'Changes what a member may do.', by, parameters, request: changedRole },
    '/admin/members/{id}/remove': { summary: 'Ends a membership.', by, parameters, request: removeMember },
    '/admin/accounts/close': {
      summary: 'On a network with a chain: closes accounts at proxies, and takes the rest out.',
      by,
      request: closedAccount,
      status: 202,
    },
  },
  put: { '/admin/budgets': { summary: 'Sets a budget.', by, request: newBudget } },
  delete: { '/admin/budgets': { summary: 'Drops a budget.', by, request: budgetName, status: 204 } },
}
